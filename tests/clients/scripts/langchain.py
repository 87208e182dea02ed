"""LangChain: ChatOpenAI over chat completions and over Responses, ChatAnthropic over messages."""
# mypy: ignore-errors
# ruff: noqa: E402, I001

from checks import ANSWER, QUESTION, TURNOUT, check, refusal, run_checks, says
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

# -- snippet: chat
from langchain_openai import ChatOpenAI

chat = ChatOpenAI(model="gpt-4o", base_url=f"{TURNOUT}/v1", api_key="any", stream_usage=True)
# -- end
# -- snippet: responses
responses = ChatOpenAI(model="gpt-4o", base_url=f"{TURNOUT}/v1", api_key="any", use_responses_api=True)
# -- end
# -- snippet: messages
from langchain_anthropic import ChatAnthropic

messages = ChatAnthropic(model="claude-sonnet-4-6", base_url=TURNOUT, api_key="any")
# -- end


class Capital(BaseModel):
    """The capital of a country."""

    city: str
    country: str


@tool
def get_weather(city: str) -> str:
    """The weather in a city now."""
    return f"{city}: 21 degrees and sunny"


def checks_of(api, model):
    @check(api, "text")
    def text():
        reply = model.invoke(QUESTION)
        says(reply.text, ANSWER)
        assert reply.usage_metadata["input_tokens"] > 0 and reply.usage_metadata["output_tokens"] > 0

    @check(api, "streaming")
    def streaming():
        chunks = list(model.stream(QUESTION))
        assert len([chunk for chunk in chunks if chunk.text]) > 1
        says("".join(chunk.text for chunk in chunks), ANSWER)
        assert sum((c.usage_metadata or {}).get("output_tokens", 0) for c in chunks) > 0

    @check(api, "tools")
    def tools():
        bound = model.bind_tools([get_weather])
        history = [HumanMessage("What is the weather in Paris and in Rome?")]
        asked = bound.invoke(history)
        assert [call["args"] for call in asked.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]
        history += [asked, *[get_weather.invoke(call) for call in asked.tool_calls]]
        says(bound.invoke(history).text, "Paris: 21 degrees", "Rome: 21 degrees")

    @check(api, "structured")
    def structured():
        found = model.with_structured_output(Capital).invoke("Extract: Paris is the capital of France.")
        assert isinstance(found, Capital) and found.city == "Paris", found

    @check(api, "error")
    def error():
        wrong = type(model)(**{**made[api], "model": "no-such-model", "max_retries": 0})
        refused = refusal(lambda: wrong.invoke(QUESTION))
        assert refused.status_code == 404, refused
        says(str(refused), "no-such-model")


made = {
    "chat": {"base_url": f"{TURNOUT}/v1", "api_key": "any"},
    "responses": {"base_url": f"{TURNOUT}/v1", "api_key": "any", "use_responses_api": True},
    "messages": {"base_url": TURNOUT, "api_key": "any"},
}
checks_of("chat", chat)
checks_of("responses", responses)
checks_of("messages", messages)
run_checks()
