"""The google-genai SDK against Gemini's API."""
# mypy: ignore-errors
# ruff: noqa: E402, I001

from checks import ANSWER, QUESTION, TURNOUT, check, run_checks, says
from pydantic import BaseModel

# -- snippet: gemini
from google import genai
from google.genai import types

client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=TURNOUT))
# -- end
from google.genai import errors

MODEL = "gemini-3.8-flash"


class Capital(BaseModel):
    """The capital of a country."""

    city: str
    country: str


def get_weather(city: str) -> str:
    """The weather in a city now."""
    return f"{city}: 21 degrees and sunny"


@check("gemini", "text")
def text():
    reply = client.models.generate_content(model=MODEL, contents=QUESTION)
    says(reply.text, ANSWER)
    assert reply.usage_metadata.candidates_token_count > 0


@check("gemini", "streaming")
def streaming():
    parts = [
        part.text or "" for part in client.models.generate_content_stream(model=MODEL, contents=QUESTION)
    ]
    assert len(parts) > 1, parts
    says("".join(parts), ANSWER)


@check("gemini", "tools")
def tools():
    config = types.GenerateContentConfig(tools=[get_weather])
    reply = client.models.generate_content(
        model=MODEL, contents="What is the weather in Paris and in Rome?", config=config
    )
    says(reply.text, "Paris: 21 degrees", "Rome: 21 degrees")


@check("gemini", "structured")
def structured():
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Capital)
    reply = client.models.generate_content(
        model=MODEL, contents="Extract: Paris is the capital of France.", config=config
    )
    assert reply.parsed.city == "Paris", reply.parsed


@check("gemini", "error")
def error():
    try:
        client.models.generate_content(model="no-such-model", contents=QUESTION)
    except errors.ClientError as refused:
        assert refused.code == 404, refused
        says(str(refused), "no-such-model")
    else:
        raise AssertionError("an unknown model was accepted")


run_checks()
