"""Claude Code, headless: a question, a stream of events, and a file read with its own tool and told back."""
# mypy: ignore-errors

import json
from pathlib import Path

from checks import check, run_checks, says
from commands import attempt, shell

# -- snippet: messages (sh)
ASK = """
export ANTHROPIC_BASE_URL={TURNOUT}
export ANTHROPIC_API_KEY=any
claude --model claude-sonnet-4-6 --tools "" -p "Write a Python function that reverses a string."
"""
# -- end
EVENTS = " --output-format stream-json --verbose --include-partial-messages"
CODE = "def reverse_string(text: str) -> str:\n    return text[::-1]"
Path("notes.txt").write_text("The code word is heliotrope.\n")


def events(text):
    return [json.loads(line) for line in shell(text).splitlines()]


@check("messages", "text")
def text():
    says(shell(ASK), CODE)


@check("messages", "streaming")
def streaming():
    seen = events(ASK.rstrip() + EVENTS)
    raw = [event["event"] for event in seen if event["type"] == "stream_event"]
    deltas = [event["delta"].get("text", "") for event in raw if event["type"] == "content_block_delta"]
    assert len([delta for delta in deltas if delta]) > 1
    says("".join(deltas), CODE)
    assert raw[-1]["type"] == "message_stop" and seen[-1]["usage"]["output_tokens"] > 0, seen[-1]


@check("messages", "tools")
def tools():
    prompt = f'Use Read on \\"{Path("notes.txt").resolve()}\\" and tell me the code word'
    asked = ASK.replace('--tools ""', "--tools Read").replace(
        "Write a Python function that reverses a string.", prompt
    )
    seen = events(asked.rstrip() + EVENTS)
    blocks = [
        block for event in seen if event["type"] == "assistant" for block in event["message"]["content"]
    ]
    assert [block["name"] for block in blocks if block["type"] == "tool_use"] == ["Read"], blocks
    if "--model claude" in ASK:  # models of other makers keep their thoughts to themselves
        assert any(block["type"] == "thinking" and block["signature"] for block in blocks), blocks
    says(seen[-1]["result"], "heliotrope")


@check("messages", "error")
def error():
    done = attempt(ASK.replace("claude-sonnet-4-6", "no-such-model"))
    assert done.returncode != 0
    says(done.stdout + done.stderr, "no-such-model")


run_checks()
