"""LlamaIndex: OpenAILike over chat completions."""
# mypy: ignore-errors
# ruff: noqa: I001

from checks import ANSWER, QUESTION, TURNOUT, check, run_checks, says
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from openai import NotFoundError
from pydantic import BaseModel

# -- snippet: chat
from llama_index.llms.openai_like import OpenAILike

model = OpenAILike(
    model="gpt-4o",
    api_base=f"{TURNOUT}/v1",
    api_key="any",
    is_chat_model=True,
    is_function_calling_model=True,
)
# -- end


class Capital(BaseModel):
    """The capital of a country."""

    city: str
    country: str


def get_weather(city: str) -> str:
    """The weather in a city now."""
    return f"{city}: 21 degrees and sunny"


@check("chat", "text")
def text():
    says(model.chat([ChatMessage(role="user", content=QUESTION)]).message.content, ANSWER)


@check("chat", "streaming")
def streaming():
    deltas = [part.delta for part in model.stream_chat([ChatMessage(role="user", content=QUESTION)])]
    assert len([delta for delta in deltas if delta]) > 1
    says("".join(delta or "" for delta in deltas), ANSWER)


@check("chat", "tools")
def tools():
    offered = [FunctionTool.from_defaults(get_weather)]
    answer = model.predict_and_call(offered, "What is the weather in Paris?")
    says(str(answer), "Paris: 21 degrees")
    history = [ChatMessage(role="user", content="What is the weather in Paris?")]
    asked = model.chat_with_tools(offered, chat_history=history)
    (call,) = model.get_tool_calls_from_response(asked)
    assert call.tool_kwargs == {"city": "Paris"}, call
    told = ChatMessage(
        role="tool", content=get_weather(**call.tool_kwargs), additional_kwargs={"tool_call_id": call.tool_id}
    )
    says(model.chat([*history, asked.message, told]).message.content, "Paris: 21 degrees")


@check("chat", "structured")
def structured():
    reply = model.as_structured_llm(Capital).complete("Extract: Paris is the capital of France.")
    assert reply.raw.city == "Paris", reply.raw


@check("chat", "error")
def error():
    wrong = OpenAILike(
        model="no-such-model", api_base=f"{TURNOUT}/v1", api_key="any", is_chat_model=True, max_retries=0
    )
    try:
        wrong.complete(QUESTION)
    except NotFoundError as refused:
        says(str(refused), "no-such-model")
    else:
        raise AssertionError("an unknown model was accepted")


run_checks()
