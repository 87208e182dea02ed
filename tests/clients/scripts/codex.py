"""Codex, headless, over Responses: a question, a shell command run and told back, a typed answer."""
# mypy: ignore-errors

import json
import os
from pathlib import Path

from checks import ANSWER, check, run_checks, says
from commands import attempt, put, shell

# -- snippet: responses (toml)
CONFIG = """
model = "gpt-5.4"
model_provider = "turnout"

[model_providers.turnout]
name = "Turnout"
base_url = "{TURNOUT}/v1"
env_key = "TURNOUT_KEY"
wire_api = "responses"
"""
# -- end
# -- snippet: responses (sh)
ASK = """
export TURNOUT_KEY=any
codex exec --skip-git-repo-check "What is the capital of France?"
"""
# -- end
QUIET = "stream_max_retries = 0\nrequest_max_retries = 0\n\n[analytics]\nenabled = false\n\n[features]\nplugins = false\n"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
    "required": ["city", "country"],
    "additionalProperties": False,
}
put(Path(os.environ["CODEX_HOME"], "config.toml"), CONFIG + QUIET)
Path("notes.txt").write_text("The code word is heliotrope.\n")
Path("schema.json").write_text(json.dumps(SCHEMA))


def asking(prompt, options):
    return ASK.replace("What is the capital of France?", prompt).replace(
        "codex exec", f"codex exec {options}"
    )


def items(text):
    events = [json.loads(line) for line in shell(text).splitlines()]
    assert events[-1]["type"] == "turn.completed" and events[-1]["usage"]["output_tokens"] > 0, events[-1]
    return [event["item"] for event in events if event["type"] == "item.completed"]


@check("responses", "streaming")
def streaming():
    says(shell(ASK), ANSWER)


@check("responses", "tools")
def tools():
    prompt = 'Use exec_command to run \\"cat notes.txt\\"'
    done = items(asking(prompt, "--json"))
    (command,) = [item for item in done if item["type"] == "command_execution"]
    assert command["exit_code"] == 0, command
    says(done[-1]["text"], "heliotrope")


@check("responses", "structured")
def structured():
    done = items(asking("Extract: Paris is the capital of France.", "--json --output-schema schema.json"))
    assert json.loads(done[-1]["text"])["city"] == "Paris", done


@check("responses", "error")
def error():
    done = attempt(asking("hello", "--model no-such-model"))
    assert done.returncode != 0
    says(done.stdout + done.stderr, "404", "no-such-model")


run_checks()
