"""Simon Willison's llm: a model in extra-openai-models.yaml, then the command line."""
# mypy: ignore-errors

import json
import os
from pathlib import Path

from checks import ANSWER, check, run_checks, says
from commands import attempt, put, shell

# -- snippet: chat (yml)
MODELS = """
- model_id: turnout
  model_name: gpt-4o
  api_base: {TURNOUT}/v1
  supports_tools: true
  supports_schema: true
"""
# -- end
# -- snippet: chat (sh)
ASK = """
llm keys set openai --value any
llm -m turnout "What is the capital of France?"
"""
# -- end
WRONG = "- {model_id: wrong, model_name: no-such-model, api_base: '{TURNOUT}/v1'}"
WEATHER = """
llm -m turnout "What is the weather in Paris and in Rome?" --functions '
def get_weather(city: str) -> str:
    "The weather in a city now."
    return city + ": 21 degrees and sunny"
'
"""
put(Path(os.environ["LLM_USER_PATH"], "extra-openai-models.yaml"), MODELS + WRONG)


@check("chat", "streaming")
def streaming():
    says(shell(ASK), ANSWER)
    (logged,) = json.loads(shell("llm logs -n 1 --json"))
    assert logged["output_tokens"] > 0, logged


@check("chat", "text")
def text():
    says(shell('llm -m turnout --no-stream "What is the capital of France?"'), ANSWER)


@check("chat", "tools")
def tools():
    says(shell(WEATHER), "Paris: 21 degrees", "Rome: 21 degrees")


@check("chat", "structured")
def structured():
    said = shell("llm -m turnout --schema 'city, country' 'Extract: Paris is the capital of France.'")
    assert json.loads(said)["city"] == "Paris", said


@check("chat", "error")
def error():
    done = attempt("llm -m wrong hello")
    assert done.returncode != 0
    says(done.stderr, "404", "no-such-model")


run_checks()
