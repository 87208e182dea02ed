"""pydantic-ai: its OpenAI chat model, OpenAI Responses model and Anthropic model."""
# mypy: ignore-errors
# ruff: noqa: E402, I001

from checks import ANSWER, QUESTION, TURNOUT, check, run_checks, says
from pydantic import BaseModel
from pydantic_ai.exceptions import ModelHTTPError

# -- snippet: chat
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

openai = OpenAIProvider(base_url=f"{TURNOUT}/v1", api_key="any")
chat = Agent(OpenAIChatModel("gpt-4o", provider=openai))
# -- end
# -- snippet: responses
from pydantic_ai.models.openai import OpenAIResponsesModel

responses = Agent(OpenAIResponsesModel("gpt-4o", provider=openai))
# -- end
# -- snippet: messages
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

anthropic = AnthropicProvider(base_url=TURNOUT, api_key="any")
messages = Agent(AnthropicModel("claude-sonnet-4-6", provider=anthropic))
# -- end


class Capital(BaseModel):
    """The capital of a country."""

    city: str
    country: str


def checks_of(api, agent, provider):
    @check(api, "text")
    async def text():
        result = await agent.run(QUESTION)
        says(result.output, ANSWER)
        assert result.usage.input_tokens > 0 and result.usage.output_tokens > 0

    @check(api, "streaming")
    async def streaming():
        async with agent.run_stream(QUESTION) as stream:
            deltas = [delta async for delta in stream.stream_text(delta=True, debounce_by=None)]
        assert len(deltas) > 1, deltas
        says("".join(deltas), ANSWER)

    @check(api, "tools")
    async def tools():
        asked = []

        def get_weather(city: str) -> str:
            """The weather in a city now."""
            asked.append(city)
            return f"{city}: 21 degrees and sunny"

        with_tools = Agent(agent.model, tools=[get_weather])
        result = await with_tools.run("What is the weather in Paris and in Rome?")
        assert sorted(asked) == ["Paris", "Rome"], asked
        says(result.output, "Paris: 21 degrees", "Rome: 21 degrees")

    @check(api, "structured")
    async def structured():
        with_type = Agent(agent.model, output_type=Capital)
        result = await with_type.run("Extract: Paris is the capital of France.")
        assert result.output.city == "Paris", result.output

    @check(api, "error")
    async def error():
        try:
            await Agent(type(agent.model)("no-such-model", provider=provider)).run(QUESTION)
        except ModelHTTPError as refused:
            assert refused.status_code == 404, refused
            says(str(refused.body), "no-such-model")
        else:
            raise AssertionError("an unknown model was accepted")


checks_of("chat", chat, openai)
checks_of("responses", responses, openai)
checks_of("messages", messages, anthropic)
run_checks()
