"""Proofs that Gemini made, through other dialects' clients and back; and other providers' proofs through a Gemini client.

Each journey: a provider's reply, as the client's dialect shows it, streamed and whole; the client sends it back as its history; the
request that reaches the provider again.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.wire.gemini.wire import META, chunk, decode, sse
from turnout.core.events import (
    Event,
    Finished,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    Started,
    Stop,
    TextDelta,
    fold,
)
from turnout.core.model import Message, Reasoning, ToolCall
from turnout.wire.anthropic import CODEC as ANTHROPIC
from turnout.wire.codec import Target
from turnout.wire.gemini import CODEC
from turnout.wire.openai_chat import CODEC as OPENAI_CHAT

THOUGHT = {"text": "Hm.", "thought": True}
CALLS = (
    {"functionCall": {"id": "c1", "name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln/+=="},
    {"functionCall": {"id": "c2", "name": "g", "args": {}}},
)
SAID = {"text": "Done.", "thoughtSignature": "dGV4dA=="}
MODEL = Target("gemini-3-pro-preview")
REPLIES = {
    "calls": (chunk(*CALLS, finish="STOP"), CALLS),
    "text": (chunk(SAID, finish="STOP"), (SAID,)),
    "signed thought": (
        chunk({**THOUGHT, "thoughtSignature": "dGhv"}, {"text": "Done."}, finish="STOP"),
        ({"text": "Hm.", "thought": True, "thoughtSignature": "dGhv"}, {"text": "Done."}),
    ),
    "all": (chunk(THOUGHT, SAID, *CALLS, finish="STOP"), (SAID, *CALLS)),
}


def sent_again(history: list[dict[str, Any]], codec: Any, body: dict[str, Any]) -> list[Any]:
    """Parts of the model's turn as the provider gets them back."""
    request = codec.decode_request(json.dumps({"model": "m", "messages": history, **body}).encode())
    contents = json.loads(CODEC.encode_request(request, MODEL).body)["contents"]
    found: list[Any] = next(content["parts"] for content in contents if content["role"] == "model")
    return found


@pytest.mark.parametrize("name", REPLIES)
def test_through_an_openai_client(name: str) -> None:
    reply, expected = REPLIES[name]
    events = decode(sse(reply))
    message = json.loads(OPENAI_CHAT.encode_answer(fold(events), META))["choices"][0]["message"]
    user = {"role": "user", "content": "Hi"}
    assert sent_again([user, message], OPENAI_CHAT, {}) == list(expected)
    encoder = OPENAI_CHAT.stream_encoder(META)
    streamed = openai_message(b"".join(encoder.encode([event]) for event in events))
    assert sent_again([user, streamed], OPENAI_CHAT, {}) == list(expected)


def openai_message(data: bytes) -> dict[str, Any]:
    """What a client gathers from the deltas."""
    message: dict[str, Any] = {"role": "assistant", "content": "", "reasoning_details": [], "tool_calls": []}
    for line in data.decode().splitlines():
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            message["reasoning_details"] += delta.get("reasoning_details") or []
            for call in delta.get("tool_calls") or []:
                if call["index"] == len(message["tool_calls"]):
                    message["tool_calls"].append(call)
                else:
                    known = message["tool_calls"][call["index"]]
                    known["function"]["arguments"] += call["function"]["arguments"]
    return {name: value for name, value in message.items() if value}


@pytest.mark.parametrize("name", REPLIES)
def test_through_an_anthropic_client(name: str) -> None:
    reply, expected = REPLIES[name]
    events = decode(sse(reply))
    user = {"role": "user", "content": "Hi"}
    message = json.loads(ANTHROPIC.encode_answer(fold(events), META))
    turn = {"role": "assistant", "content": message["content"]}
    assert sent_again([user, turn], ANTHROPIC, {"max_tokens": 9}) == list(expected)
    encoder = ANTHROPIC.stream_encoder(META)
    streamed = b"".join(encoder.encode([event]) for event in events)
    whole = json.loads(ANTHROPIC.encode_answer(fold(stream_events(streamed)), META))
    turn = {"role": "assistant", "content": whole["content"]}
    assert sent_again([user, turn], ANTHROPIC, {"max_tokens": 9}) == list(expected)


def stream_events(data: bytes) -> list[Event]:
    """Read as a provider's stream, which keeps thinking, withheld data and calls apart as an SDK does."""
    decoder = ANTHROPIC.stream_decoder()
    return [event for frame in decoder.feed(data) + decoder.eof(None) for event in frame.events]


def test_through_googles_openai_compatible_api() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    call["extra_content"] = {"google": {"thought_signature": "c2ln"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = {
        "id": "i",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
    }
    answer = fold(OPENAI_CHAT.decode_answer(json.dumps(body).encode()))
    shown = json.loads(ANTHROPIC.encode_answer(answer, META))
    history = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": shown["content"]}],
    }
    request = ANTHROPIC.decode_request(json.dumps(history).encode())
    assert request.messages[1].content == (ToolCall("c1", "f", "{}", None, "c2ln", False, "gemini"),)
    takes = Target("gemini-3-pro-preview", quirks=frozenset({"extra_content"}))
    sent = json.loads(OPENAI_CHAT.encode_request(request, takes).body)["messages"][1]
    assert sent["tool_calls"] == [call]
    plain = OPENAI_CHAT.encode_request(request, Target("gpt"))
    assert b"extra_content" not in plain.body and plain.dropped == ("tool_calls.signature",)


def test_claudes_proofs_through_a_gemini_client() -> None:
    """A thought signature must be base64, and Claude's proof must reach Claude and not Google."""
    events: list[Event] = [
        Started("msg_1", "claude"),
        ReasoningDelta("Hm.", 0),
        ReasoningSignature("cl+aude/==", "anthropic", 0),
        ReasoningRedacted("hidden", "anthropic", 1),
        TextDelta("Done.", 2),
        Stop("stop", "end_turn"),
        Finished(),
    ]
    shown = json.loads(CODEC.encode_answer(fold(events), META))["candidates"][0]["content"]
    url_safe = json.loads(json.dumps(shown))
    for part in url_safe["parts"]:
        if "thoughtSignature" in part:  # as Google's SDK writes bytes
            part["thoughtSignature"] = part["thoughtSignature"].replace("+", "-").replace("/", "_")
    for content in (shown, url_safe):
        body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}, content]}).encode()
        request = CODEC.decode_request(body)
        assert request.messages[1] == Message(
            "assistant",
            (
                Reasoning("Hm.", "cl+aude/==", None, "anthropic"),
                Reasoning("", None, "hidden", "anthropic"),
                request.messages[1].content[2],
            ),
        )
        turn = json.loads(ANTHROPIC.encode_request(request, Target("claude")).body)["messages"][1]["content"]
        assert turn[0] == {"type": "thinking", "thinking": "Hm.", "signature": "cl+aude/=="}
        assert turn[1] == {"type": "redacted_thinking", "data": "hidden"}
        to_google = CODEC.rewrite(CODEC.peek(body), MODEL)
        assert to_google.count(b'"skip_thought_signature_validator"') == 2 and b"dHVybm91d" not in to_google


def test_geminis_proofs_do_not_reach_claude_when_a_body_is_passed_on() -> None:
    answer = fold(decode(sse(chunk({**THOUGHT, "thoughtSignature": "dGhv"}, SAID, *CALLS, finish="STOP"))))
    content = json.loads(ANTHROPIC.encode_answer(answer, META))["content"]
    own = {"type": "thinking", "thinking": "x", "signature": "claudes"}
    user = {"role": "user", "content": 'Say "turnout-unsigned"'}
    turn = {"role": "assistant", "content": [own, *content]}
    lost = {"role": "assistant", "content": [content[0]]}
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": [user, lost, turn]}).encode()
    passed = json.loads(ANTHROPIC.rewrite(ANTHROPIC.peek(body), Target("m")))
    assert passed["messages"][0] == user and len(passed["messages"]) == 2
    kinds = [block["type"] for block in passed["messages"][1]["content"]]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"]
    assert passed["messages"][1]["content"][0] == own
