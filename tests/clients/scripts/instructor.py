"""instructor: typed answers through the OpenAI and the Anthropic SDK."""
# mypy: ignore-errors
# ruff: noqa: E402, I001

from checks import ANSWER, QUESTION, TURNOUT, check, refusal, run_checks, says
from pydantic import BaseModel

# -- snippet: chat
import instructor
from openai import OpenAI

chat = instructor.from_openai(OpenAI(base_url=f"{TURNOUT}/v1", api_key="any"))
# -- end
# -- snippet: messages
from anthropic import Anthropic

messages = instructor.from_anthropic(Anthropic(base_url=TURNOUT, api_key="any"))
# -- end


class Capital(BaseModel):
    """The capital of a country."""

    city: str
    country: str


def asking(text):
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 500, "max_retries": 0}


def checks_of(api, client, model):
    @check(api, "text")
    def text():
        said = client.create(model=model, response_model=None, **asking(QUESTION))
        says(said.choices[0].message.content if api == "chat" else said.content[0].text, ANSWER)

    @check(api, "structured")
    def structured():
        asked = asking("Extract: Paris is the capital of France.")
        found, completion = client.create_with_completion(model=model, response_model=Capital, **asked)
        assert found.city == "Paris", found
        assert completion.usage is not None

    @check(api, "streaming")
    def streaming():
        asked = asking("Extract: Paris is the capital of France.")
        parts = list(client.create_partial(model=model, response_model=Capital, **asked))
        assert len(parts) > 1 and parts[-1].city == "Paris", parts

    @check(api, "error")
    def error():
        refused = refusal(
            lambda: client.create(model="no-such-model", response_model=Capital, **asking(QUESTION))
        )
        says(str(refused), "404", "no-such-model")


checks_of("chat", chat, "gpt-4o")
checks_of("messages", messages, "claude-sonnet-4-6")
run_checks()
