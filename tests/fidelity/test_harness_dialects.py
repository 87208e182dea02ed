"""Do the readings of all dialects agree on one reply and on one request, and does each notice what is taken away?"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from msgspec import structs

from tests.fidelity.asked import asked
from tests.fidelity.awsframes import framed, frames
from tests.fidelity.compare import differences
from tests.fidelity.recordings import Dialect
from tests.fidelity.strict import complaints
from tests.fidelity.throughgateway import Received, in_dialect, same_array
from tests.fidelity.translated import lost
from tests.fidelity.turns import Turn, returned, spoken
from tests.fidelity.views import Said, Tokens, Tool, View, view

WANTED = View([Said("Hi", "", "hm", [Tool("f", '{"a": 1}', "c1")], "tool_calls")], Tokens(9, 0, 0, 4, 0))
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "status": "completed",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
ITEMS: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
]
RESPONSES_USAGE = {
    "input_tokens": 9,
    "output_tokens": 4,
    "total_tokens": 13,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}


def sse(*events: dict[str, Any]) -> list[bytes]:
    return [b"data: %b\r\n\r\n" % json.dumps(event).encode() for event in events]


def gemini(*parts: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **rest}]}


GEMINI_PARTS: list[dict[str, Any]] = [
    {"text": "hm", "thought": True},
    {"text": "Hi"},
    {"functionCall": {"name": "f", "args": {"a": 1}, "id": "c1"}},
]
GEMINI_END = gemini(finishReason="STOP") | {
    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4}
}


def aws(kind: str, payload: dict[str, Any]) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return framed(headers, json.dumps(payload).encode())


CONVERSE = [
    aws("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}),
    aws("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Hi"}}),
    aws(
        "contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"name": "f", "toolUseId": "c1"}}}
    ),
    aws("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"a":1}'}}}),
    aws("messageStop", {"stopReason": "tool_use"}),
    aws("metadata", {"usage": {"inputTokens": 9, "outputTokens": 4}}),
]
COHERE_USAGE = {"billed_units": {"input_tokens": 9, "output_tokens": 4}}
COHERE_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
COHERE = sse(
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"thinking": "hm"}}}},
    {"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": "Hi"}}}},
    {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": COHERE_CALL}}},
    {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": COHERE_USAGE}},
)
OLLAMA_CALL = {"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}}
OLLAMA: list[dict[str, Any]] = [
    {"message": {"content": "", "thinking": "hm"}, "done": False},
    {"message": {"content": "Hi"}, "done": False},
    {"message": {"content": "", "tool_calls": [OLLAMA_CALL]}, "done": False},
    {
        "message": {"content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 9,
        "eval_count": 4,
    },
]
RESPONSES = sse(
    {"type": "response.output_item.added", "output_index": 0, "item": {**ITEMS[0], "summary": []}},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "hm"},
    {"type": "response.output_item.added", "output_index": 1, "item": {**ITEMS[1], "content": []}},
    {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "Hi"},
    {"type": "response.output_item.added", "output_index": 2, "item": {**ITEMS[2], "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"a":1}'},
    {"type": "response.completed", "response": {**RESPONSE, "output": ITEMS, "usage": RESPONSES_USAGE}},
)
STREAMS: dict[Dialect, list[bytes]] = {
    "openai_responses": RESPONSES,
    "gemini": sse(*[gemini(part) for part in GEMINI_PARTS], GEMINI_END),
    "bedrock": CONVERSE,
    "cohere": COHERE,
    "ollama": [json.dumps(line).encode() + b"\n" for line in OLLAMA],
}
CONVERSE_BLOCKS = [
    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
    {"text": "Hi"},
    {"toolUse": {"name": "f", "toolUseId": "c1", "input": {"a": 1}}},
]
WHOLE: dict[Dialect, dict[str, Any]] = {
    "openai_responses": {**RESPONSE, "output": ITEMS, "usage": RESPONSES_USAGE},
    "gemini": {
        **gemini(*GEMINI_PARTS, finishReason="STOP"),
        "usageMetadata": GEMINI_END["usageMetadata"],
    },
    "bedrock": {
        "output": {"message": {"role": "assistant", "content": CONVERSE_BLOCKS}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 9, "outputTokens": 4},
    },
    "cohere": {
        "message": {
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi"}],
            "tool_calls": [COHERE_CALL],
        },
        "finish_reason": "TOOL_CALL",
        "usage": COHERE_USAGE,
    },
    "ollama": {**OLLAMA[3], "message": {"content": "Hi", "thinking": "hm", "tool_calls": [OLLAMA_CALL]}},
}


@pytest.mark.parametrize("dialect", STREAMS)
def test_one_reply_reads_the_same_in_every_dialect(dialect: Dialect) -> None:
    whole = view(dialect, False, json.dumps(WHOLE[dialect]).encode())
    stream = view(dialect, True, b"".join(STREAMS[dialect]))
    for found in (whole, stream):
        found.choices[0].finish = "tool_calls" if dialect == "ollama" else found.choices[0].finish
        assert differences(WANTED, found, dialect) == []


@pytest.mark.parametrize(
    ("dialect", "gone"),
    [
        (d, n)
        for d, pieces in STREAMS.items()
        for n in range(len(pieces))
        if d != "openai_responses" or n == 6
    ],
)
def test_a_piece_that_is_gone_is_noticed(dialect: Dialect, gone: int) -> None:
    pieces = STREAMS[dialect]
    found = view(dialect, True, b"".join(pieces[:gone] + pieces[gone + 1 :]))
    assert differences(WANTED, found, "openai_chat")


def test_claude_inside_an_aws_event_stream() -> None:
    events: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    ]
    body = b"".join(
        aws("chunk", {"bytes": base64.b64encode(json.dumps(e).encode()).decode()}) for e in events
    )
    (said,) = view("bedrock_anthropic", True, body).choices
    assert (said.text, said.finish) == ("Hi", "end_turn")
    failed = body + framed({":message-type": "exception", ":exception-type": "throttling"}, b"{}")
    assert view("bedrock_anthropic", True, failed).failed


def test_a_damaged_frame_is_no_frame() -> None:
    frame = bytearray(CONVERSE[0])
    assert len(list(frames(bytes(frame)))) == 1
    frame[-6] ^= 1
    with pytest.raises(ValueError, match="broken"):
        list(frames(bytes(frame)))


def test_arguments_that_come_in_places() -> None:
    pieces: list[dict[str, Any]] = [
        {"functionCall": {"name": "f", "willContinue": True, "id": "c1"}},
        {
            "functionCall": {
                "partialArgs": [{"jsonPath": "$.a.b[0]", "stringValue": "x"}],
                "willContinue": True,
            }
        },
        {
            "functionCall": {
                "partialArgs": [{"jsonPath": "$.a.b[0]", "stringValue": "y"}],
                "willContinue": True,
            }
        },
        {"functionCall": {"partialArgs": [{"jsonPath": "$.n", "numberValue": 2}]}},
    ]
    (said,) = view("gemini", True, b"".join(sse(*[gemini(piece) for piece in pieces], GEMINI_END))).choices
    assert [json.loads(tool.arguments) for tool in said.tools] == [{"a": {"b": ["xy"]}, "n": 2}]


def test_the_sdks_of_the_newer_dialects_refuse_what_is_wrong() -> None:
    body = json.dumps(WHOLE["gemini"]).encode()
    assert complaints("gemini", False, body, WANTED) == []
    assert complaints("gemini", False, body.replace(b'"finishReason"', b'"finishedBecause"'), WANTED)
    body = json.dumps(WHOLE["openai_responses"]).encode()
    assert complaints("openai_responses", False, body, WANTED) == []
    assert complaints("openai_responses", False, body.replace(b'"created_at"', b'"created"'), WANTED)
    assert complaints("openai_responses", True, b"".join(RESPONSES).replace(b"\r", b""), WANTED)


def test_cache_writes_are_fresh_input_for_gemini_clients_alone() -> None:
    written = View(WANTED.choices, Tokens(5, 0, 4, 4, 0))
    assert differences(written, WANTED, "gemini") == []
    assert differences(written, WANTED, "openai_responses")


def test_errors_and_arrays_of_gemini_clients() -> None:
    assert in_dialect("gemini", b'{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}')
    assert not in_dialect("gemini", b'{"error":{"message":"m","type":"t"}}')
    chunks = json.dumps([GEMINI_END]).encode()
    assert same_array(chunks, Received(200, b"application/json", chunks.replace(b" ", b""))) == []
    assert same_array(chunks, Received(200, b"application/json", b"[]"))
    assert same_array(chunks, Received(200, b"text/event-stream", chunks))


SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}
OPENAI_TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
OPENAI_CALL = {"id": "a1", "function": {"name": "f", "arguments": '{"x":1}'}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is it?"},
    {"role": "assistant", "content": "Let me see.", "tool_calls": [OPENAI_CALL]},
    {"role": "tool", "tool_call_id": "a1", "content": "a cat"},
]
REQUESTS: dict[Dialect, dict[str, Any]] = {
    "openai_chat": {
        "messages": MESSAGES,
        "tools": [OPENAI_TOOL],
        "tool_choice": "required",
        "max_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.9,
    },
    "openai_responses": {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": "What is it?"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
            {"type": "function_call", "call_id": "a1", "name": "f", "arguments": '{"x":1}'},
            {"type": "function_call_output", "call_id": "a1", "output": "a cat"},
        ],
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": SCHEMA}],
        "tool_choice": "required",
        "max_output_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.9,
    },
    "gemini": {
        "system_instruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "What is it?"}]},
            {
                "role": "model",
                "parts": [{"text": "Let me see."}, {"function_call": {"name": "f", "args": {"x": 1}}}],
            },
            {
                "role": "user",
                "parts": [{"function_response": {"name": "f", "response": {"result": "a cat"}}}],
            },
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "f",
                        "description": "d",
                        "parameters": {"type": "OBJECT", "properties": {"x": {"type": 3}}},
                    }
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {"maxOutputTokens": 50, "temperature": 0.5, "topP": 0.9},
    },
    "bedrock": {
        "system": [{"text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"text": "What is it?"}]},
            {
                "role": "assistant",
                "content": [
                    {"text": "Let me see."},
                    {"toolUse": {"toolUseId": "a1", "name": "f", "input": {"x": 1}}},
                ],
            },
            {
                "role": "user",
                "content": [{"toolResult": {"toolUseId": "a1", "content": [{"text": "a cat"}]}}],
            },
        ],
        "toolConfig": {
            "tools": [{"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": SCHEMA}}}],
            "toolChoice": {"any": {}},
        },
        "inferenceConfig": {"maxTokens": 50, "temperature": 0.5, "topP": 0.9},
    },
    "cohere": {
        "messages": MESSAGES,
        "tools": [OPENAI_TOOL],
        "tool_choice": "REQUIRED",
        "max_tokens": 50,
        "temperature": 0.5,
        "p": 0.9,
    },
    "ollama": {
        "messages": [
            *MESSAGES[:2],
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}],
            },
            {"role": "tool", "tool_name": "f", "content": "a cat"},
        ],
        "tools": [OPENAI_TOOL],
        "options": {"num_predict": 50, "temperature": 0.5, "top_p": 0.9},
    },
}


@pytest.mark.parametrize("dialect", REQUESTS)
def test_one_request_reads_the_same_in_every_dialect(dialect: Dialect) -> None:
    wanted = asked("openai_chat", REQUESTS["openai_chat"])
    found = asked(dialect, REQUESTS[dialect])
    named = ("tool_choice",) if dialect == "ollama" else ()
    assert lost(wanted, found, named) == []
    for changed in ("turns", "calls", "results", "tools", "system"):
        assert lost(wanted, structs.replace(found, **{changed: type(getattr(found, changed))()}), named)


PROOFS: dict[Dialect, tuple[dict[str, Any], dict[str, Any]]] = {
    "gemini": (
        gemini({"text": "Hi"}, {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s"}),
        {
            "contents": [
                {
                    "role": "model",
                    "parts": [
                        {"text": "Hi"},
                        {"function_call": {"name": "f", "args": {}}, "thought_signature": "s"},
                    ],
                }
            ]
        },
    ),
    "openai_responses": (
        {"output": [{"type": "reasoning", "summary": [], "encrypted_content": "s"}, *ITEMS[1:]]},
        {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "s"}, *ITEMS[1:]]},
    ),
    "bedrock": (
        WHOLE["bedrock"],
        {"messages": [{"role": "assistant", "content": CONVERSE_BLOCKS}]},
    ),
}


@pytest.mark.parametrize("dialect", PROOFS)
def test_proofs_that_come_back_are_read(dialect: Dialect) -> None:
    reply, request = PROOFS[dialect]
    turn = spoken(dialect, reply)
    assert turn == returned(dialect, request)
    assert turn is not None
    assert turn != Turn()
    assert [proof for _, proof in turn.thinking] == ["s"]
