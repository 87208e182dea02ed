"""Tasks and tiers of requests whose answer nobody would dispute, and the rules that combine the signals."""

from __future__ import annotations

import pytest
from msgspec import Raw

from turnout.core.call import Controls, Priority, TaskGuess, TierGuess
from turnout.core.card import Task, Tier
from turnout.core.model import (
    Document,
    Image,
    Message,
    ReasoningControl,
    Request,
    ResponseFormat,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    Url,
)
from turnout.routing.classification import classify_task, classify_tier, found_cues, task_of
from turnout.routing.features import QUERY_CHARS_MAX, read

from .models import ask

PARAGRAPH = "The harbour was rebuilt after the storm, and the town grew around it for forty years. " * 4


def guess(request: Request, controls: Controls = Controls()) -> TaskGuess:  # noqa: B008 (frozen)
    features = read(request)
    return task_of(features, found_cues(features), request, controls, None)


def tier(request: Request, priority: Priority = "normal", long_context_tokens: int = 50_000) -> TierGuess:
    features = read(request)
    found = found_cues(features)
    return classify_tier(
        features, found, request, classify_task(features, found), priority, long_context_tokens
    )


PLAIN: list[tuple[str, Task]] = [
    ("Write a Python function that merges two sorted lists", "code_generation"),
    ("Why does this code raise a KeyError?\n```python\nd = {}\nd['a']\n```", "code_generation"),
    (f"Summarize the following in two sentences:\n\n{PARAGRAPH}", "summarization"),
    (f"{PARAGRAPH}\n\nTL;DR", "summarization"),
    (f"Extract all names and dates from this text:\n{PARAGRAPH}", "extraction"),
    ("Translate this into German: The train leaves at noon.", "translation"),
    ("How do you say good evening in Italian?", "translation"),
    ("Convert this to JSON with the keys name and age: Ann is 31", "structured_data"),
    ("Is the sentiment of this review positive or negative? The soup was cold.", "classification"),
    ("Who wrote The Odyssey?", "question_answering"),
    (
        f"Read the passage and answer the question.\n\n{PARAGRAPH}\n\nQuestion: why did the town grow?",
        "question_answering_in_context",
    ),
    ("Review this contract and list the clauses on termination and our obligations", "document_analysis"),
    ("Analyze the attached PDF report and point out the risks it names", "document_analysis"),
    (
        "Here is our dataset of quarterly sales. Which trends and outliers do you see?\nQ1,100\nQ2,140\nQ3,90",
        "data_analysis",
    ),
    ("Find the correlation between price and churn in this data and plot the trend", "data_analysis"),
    ("Solve for x: 3x + 7 = 22", "mathematics"),
    ("Solve this logic puzzle and explain your reasoning: one guard lies, one tells the truth", "reasoning"),
    ("Rewrite this sentence to sound more polite: give me the file", "rewriting"),
    ("Write a poem about an autumn river", "creative_writing"),
    ("Brainstorm ten names for a bicycle shop", "brainstorming"),
    ("hi there, how are you today?", "conversation"),
    ("Remind me to call the bank at nine tomorrow", "tool_use"),
    ("用一句话总结下面的文章", "summarization"),
    ("Traduce esta frase al inglés: el cielo está despejado", "translation"),
    ("Напиши стихотворение про зиму", "creative_writing"),
]


@pytest.mark.parametrize(("text", "task"), PLAIN)
def test_plain_requests(text: str, task: Task) -> None:
    assert guess(ask(text)).name == task


def test_the_callers_word_wins_then_the_form_of_the_request() -> None:
    request = ask("Write a poem", tools=(Tool("f"),), tool_choice=ToolChoice("required"))
    assert guess(request, Controls(task="extraction")) == TaskGuess("extraction", source="caller")
    assert guess(request) == TaskGuess("tool_use", source="request")


def test_a_system_prompt_that_states_the_task_is_read() -> None:
    assert (
        guess(ask(PARAGRAPH, system="You are an engine. Translate the text into French.")).name
        == "translation"
    )


def test_an_unclear_request_abstains() -> None:
    found = guess(ask("zxqv"))
    assert found.abstained
    assert found.name in ("conversation", "question_answering")


def test_tool_results_and_documents_speak() -> None:
    result = Message("user", (ToolResult("1", (Text("4 degrees"),)),))
    assert guess(Request("openai_chat", "auto", (result,), tools=(Tool("weather"),))).name == "tool_use"
    paper = Message(
        "user", (Document(Url("https://example.com/a.pdf")), Text("What does it say about risks?"))
    )
    assert guess(Request("openai_chat", "auto", (paper,))).name == "document_analysis"


TIERS: list[tuple[Request, Tier]] = [
    (ask("Who wrote The Odyssey?"), "light"),
    (ask("hi"), "light"),
    (ask(f"Extract the dates from this text:\n{PARAGRAPH * 4}"), "light"),
    (ask(f"Tell me about the following matter and what it means for us. {PARAGRAPH}"), "standard"),
    (ask("Write a Python function that merges two sorted lists"), "standard"),
    (ask("Prove step by step that there are infinitely many primes"), "large"),
    (ask("Who wrote The Odyssey?", reasoning=ReasoningControl(effort="high")), "large"),
    (ask("Who wrote The Odyssey?", reasoning=ReasoningControl(mode="disabled", effort="high")), "light"),
    (ask("Who wrote The Odyssey?", reasoning=ReasoningControl(budget_tokens=20_000)), "large"),
    (ask("Who wrote it?", tools=(Tool("search"),)), "standard"),
    (ask("Who wrote The Odyssey?", earlier=("Tell me of Greece", "It is old.") * 6), "standard"),
    (ask("Who wrote The Odyssey?", earlier=("Tell me of Greece", "It is old.") * 30), "large"),
]


@pytest.mark.parametrize(("request_", "name"), TIERS)
def test_tiers(request_: Request, name: Tier) -> None:
    assert tier(request_).name == name


def test_a_json_schema_alone_asks_for_no_bigger_model() -> None:
    schema = ResponseFormat("json_schema", name="a", schema=Raw(b'{"type":"object"}'))
    assert tier(ask("Extract the name: I am Ann", response_format=schema)).name == "light"


def test_a_follow_up_is_read_with_what_went_before() -> None:
    hard = (
        "Prove step by step that the halting problem is undecidable",
        "First, suppose that it is decidable.",
    )
    assert tier(ask("yes", earlier=hard)).name == "large"
    assert tier(ask("yes")).name == "light"


def test_a_long_prompt_is_large_whatever_it_says() -> None:
    assert tier(ask("hi " * 400), long_context_tokens=100) == TierGuess("large")


def test_priority_rounds_an_uncertain_tier() -> None:
    request = ask("Tell me something about the matter of old harbours. " + "and more of it " * 12)
    assert tier(request).abstained
    order = [tier(request, priority).name for priority in ("low", "normal", "high")]
    assert order == ["light", "standard", "large"]


def test_priority_leaves_a_certain_tier_alone() -> None:
    assert {tier(ask("hi"), priority).name for priority in ("low", "normal", "high")} == {"light"}


def test_reading_is_bounded() -> None:
    features = read(ask("word " * 100_000, system="Translate. " * 10_000))
    assert len(features.query) <= QUERY_CHARS_MAX + 1
    assert len(features.system) <= 400
    assert features.query_tokens > 50_000


def test_an_image_is_a_need_and_counts() -> None:
    picture = Message("user", (Text("what is this?"), Image(Url("https://example.com/a.png"))))
    features = read(Request("openai_chat", "auto", (picture,)))
    assert features.needs == {"vision"}
    assert features.query_tokens > 500
