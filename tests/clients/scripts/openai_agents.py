"""The OpenAI Agents SDK: the chat completions model and the Responses model."""
# mypy: ignore-errors
# ruff: noqa: E402, I001

from checks import ANSWER, QUESTION, TURNOUT, check, run_checks, says
from agents.models.openai_responses import ResponsesWebSocketError
from openai import NotFoundError
from pydantic import BaseModel

# -- snippet: chat
from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)  # traces go to OpenAI, not to the model's base URL
client = AsyncOpenAI(base_url=f"{TURNOUT}/v1", api_key="any")
chat = OpenAIChatCompletionsModel(model="gpt-4o", openai_client=client)
agent = Agent(name="Guide", model=chat)
# -- end
# -- snippet: responses
from agents import OpenAIResponsesModel

responses = OpenAIResponsesModel(model="gpt-4o", openai_client=client)
# -- end
# -- snippet: websocket
from agents import OpenAIResponsesWSModel

websocket = OpenAIResponsesWSModel(model="gpt-4o", openai_client=client)
# -- end
from agents import function_tool


class Capital(BaseModel):
    """The capital of a country."""

    city: str
    country: str


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city now."""
    return f"{city}: 21 degrees and sunny"


def checks_of(api, model):
    @check(api, "text")
    async def text():
        result = await Runner.run(Agent(name="Guide", model=model), QUESTION)
        says(result.final_output, ANSWER)
        assert result.context_wrapper.usage.output_tokens > 0

    @check(api, "streaming")
    async def streaming():
        result = Runner.run_streamed(Agent(name="Guide", model=model), QUESTION)
        events = [event.data async for event in result.stream_events() if event.type == "raw_response_event"]
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert len(deltas) > 1, deltas
        says("".join(deltas), ANSWER)
        says(result.final_output, ANSWER)

    @check(api, "tools")
    async def tools():
        guide = Agent(name="Guide", model=model, tools=[get_weather])
        result = await Runner.run(guide, "What is the weather in Paris and in Rome?")
        says(result.final_output, "Paris: 21 degrees", "Rome: 21 degrees")

    @check(api, "structured")
    async def structured():
        guide = Agent(name="Guide", model=model, output_type=Capital)
        result = await Runner.run(guide, "Extract: Paris is the capital of France.")
        assert result.final_output.city == "Paris", result.final_output

    @check(api, "error")
    async def error():
        wrong = type(model)(model="no-such-model", openai_client=client)
        try:
            await Runner.run(Agent(name="Guide", model=wrong), QUESTION)
        except (NotFoundError, ResponsesWebSocketError) as refused:
            says(str(refused), "404")
            says(str(refused), "no-such-model")
        else:
            raise AssertionError("an unknown model was accepted")


checks_of("chat", chat)
checks_of("responses", responses)
checks_of("websocket", websocket)
run_checks()
