"""Can the fidelity run fail? Each thing that it promises to notice, broken on purpose."""

from __future__ import annotations

import json
from typing import cast

import pytest
from msgspec import structs

from tests.fidelity.asked import Asked, asked
from tests.fidelity.compare import differences
from tests.fidelity.echoed import differing
from tests.fidelity.exact import request_differences, without_usage_chunk
from tests.fidelity.explained import ANY, EXPLAINED
from tests.fidelity.recordings import Dialect, Recording
from tests.fidelity.report import Outcome, problems
from tests.fidelity.strict import complaints
from tests.fidelity.throughgateway import Received, in_dialect, same
from tests.fidelity.translated import lost
from tests.fidelity.turns import Turn, returned, spoken
from tests.fidelity.views import Said, Tokens, Tool, View, view

USAGE = b'"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}'
HEAD = b'"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m"'


def chunk(delta: bytes, finish: bytes = b"null") -> bytes:
    return b'data: {%b,"choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n' % (HEAD, delta, finish)


CALL = b'{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}'
ARGUMENTS = b'{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":1}"}}]}'
USAGE_CHUNK = b'data: {%b,"choices":[],%b}\n\n' % (HEAD, USAGE)
OPENAI = [
    chunk(b'{"role":"assistant","reasoning_content":"hm"}'),
    chunk(b'{"content":"Hi"}'),
    chunk(CALL),
    chunk(ARGUMENTS),
    chunk(b"{}", b'"tool_calls"'),
    USAGE_CHUNK,
    b"data: [DONE]\n\n",
]


def anthropic(*events: dict[str, object]) -> list[bytes]:
    return [f"event: {e['type']}\ndata: {json.dumps(e, separators=(',', ':'))}\n\n".encode() for e in events]


MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
USED = {"input_tokens": 9, "output_tokens": 4}
ANTHROPIC = anthropic(
    {
        "type": "message_start",
        "message": {**MESSAGE, "stop_reason": None, "stop_sequence": None, "usage": USED},
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    },
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "hm"},
    },
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'},
    },
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": USED,
    },
    {"type": "message_stop"},
)
SAID = View([Said("Hi", "", "hm", [Tool("f", '{"a":1}', "c1")], "tool_calls")], Tokens(9, 0, 0, 4, 0))


def test_both_sdks_read_the_same_from_the_same_reply() -> None:
    one = view("openai_chat", True, b"".join(OPENAI))
    other = view("anthropic", True, b"".join(ANTHROPIC))
    assert one == SAID
    assert differences(one, other, "anthropic") == []
    assert differences(other, one, "openai_chat") == []
    assert complaints("openai_chat", True, b"".join(OPENAI), one) == []
    assert complaints("anthropic", True, b"".join(ANTHROPIC), other) == []


@pytest.mark.parametrize("lost", [0, 1, 2, 3, 4, 5])
def test_a_lost_openai_chunk_is_noticed(lost: int) -> None:
    left = b"".join(OPENAI[:lost] + OPENAI[lost + 1 :])
    assert differences(SAID, view("openai_chat", True, left), "openai_chat")


@pytest.mark.parametrize("lost", [2, 5, 8])
def test_a_lost_anthropic_delta_is_noticed(lost: int) -> None:
    left = b"".join(ANTHROPIC[:lost] + ANTHROPIC[lost + 1 :])
    assert differences(SAID, view("anthropic", True, left), "anthropic")


SPOILT = {
    "text": View([Said("Ho", "", "hm", [Tool("f", '{"a":1}', "c1")], "tool_calls")], SAID.tokens),
    "refusal": View([Said("Hi", "no", "hm", [Tool("f", '{"a":1}', "c1")], "tool_calls")], SAID.tokens),
    "reasoning": View([Said("Hi", "", "", [Tool("f", '{"a":1}', "c1")], "tool_calls")], SAID.tokens),
    "tool names": View([Said("Hi", "", "hm", [Tool("g", '{"a":1}', "c1")], "tool_calls")], SAID.tokens),
    "arguments": View([Said("Hi", "", "hm", [Tool("f", '{"a":2}', "c1")], "tool_calls")], SAID.tokens),
    "tool id": View([Said("Hi", "", "hm", [Tool("f", '{"a":1}', "c2")], "tool_calls")], SAID.tokens),
    "finish": View([Said("Hi", "", "hm", [Tool("f", '{"a":1}', "c1")], "length")], SAID.tokens),
    "choices": View([], SAID.tokens),
    "failed": View(SAID.choices, SAID.tokens, failed=True),
    "input tokens": View(SAID.choices, Tokens(10, 0, 0, 4, 0)),
    "cache_read tokens": View(SAID.choices, Tokens(9, 1, 0, 4, 0)),
    "cache_write tokens": View(SAID.choices, Tokens(9, 0, 1, 4, 0)),
    "output tokens": View(SAID.choices, Tokens(9, 0, 0, 5, 0)),
    "reasoning tokens": View(SAID.choices, Tokens(9, 0, 0, 4, 1)),
}


@pytest.mark.parametrize("field", SPOILT)
def test_every_field_that_differs_is_named(field: str) -> None:
    (found,) = differences(SAID, SPOILT[field], "openai_chat")
    assert found.startswith(field)


def test_the_client_must_be_told_why_it_ended() -> None:
    """A provider may leave the word out, or say `stop` beside tool calls; what the client reads must be plain."""
    call = [Tool("f", "{}", "c1")]
    for word in (None, "stop", "tool_calls"):
        provider = View([Said(tools=call, finish=word)], Tokens())
        assert differences(provider, View([Said(tools=call, finish="tool_use")], Tokens()), "anthropic") == []
        assert differences(provider, View([Said(tools=call, finish="end_turn")], Tokens()), "anthropic")
        assert differences(provider, View([Said(tools=call, finish=None)], Tokens()), "anthropic")


def test_what_was_said_before_a_failure_counts() -> None:
    said = View([Said("Hel")], Tokens(), failed=True)
    assert differences(said, View([Said("Hel", finish="stop")], Tokens(1), failed=True), "anthropic") == []
    assert differences(said, View([Said("He")], Tokens(), failed=True), "anthropic")


def test_arguments_that_are_no_object_must_be_kept_in_full() -> None:
    cut = View([Said(tools=[Tool("f", '{"a":', "c1")], finish="length")], Tokens())
    kept = View([Said(tools=[Tool("f", '{"raw": "{\\"a\\":"}', "c1")], finish="max_tokens")], Tokens())
    lost = View([Said(tools=[Tool("f", "{}", "c1")], finish="max_tokens")], Tokens())
    assert differences(cut, kept, "anthropic") == []
    assert differences(cut, lost, "anthropic")


def test_the_sdk_types_refuse_what_lacks_a_field() -> None:
    body = b"".join(OPENAI).replace(b'"created":1,', b"")
    assert complaints("openai_chat", True, body, view("openai_chat", True, body))
    body = b"".join(ANTHROPIC).replace(b'"signature":""', b'"sig":""')
    assert complaints("anthropic", True, body, view("anthropic", True, body))
    body = json.dumps({**MESSAGE, "stop_reason": "stop", "stop_sequence": None, "usage": USED}).encode()
    assert complaints("anthropic", False, body, view("anthropic", False, body))


# -- a client of the provider's own dialect

ASKED = b'{"model":"mine","messages":[ {"role":"user","content":"h\\u0069"} ],"temperature":1.0,"x":{"a": 1}}'


def sent(**changes: bytes) -> bytes:
    fields = {
        b"model": b'"theirs"',
        b"messages": b'[ {"role":"user","content":"h\\u0069"} ]',
        b"temperature": b"1.0",
        b"x": b'{"a": 1}',
    } | {name.encode(): value for name, value in changes.items()}
    return b"{" + b",".join(b'"%b":%b' % (name, value) for name, value in fields.items() if value) + b"}"


def test_a_request_may_change_in_its_model_and_its_wish_for_usage_only() -> None:
    assert request_differences(ASKED, sent(), model="theirs", metered=False) == []
    usage = sent(stream_options=b'{"include_usage":true}')
    assert request_differences(ASKED, usage, model="theirs", metered=True) == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        sent(model=b'"mine"'),
        sent(messages=b'[{"role":"user","content":"h\\u0069"}]'),
        sent(temperature=b"1"),
        sent(x=b""),
        sent(y=b"1"),
        sent(stream_options=b'{"include_usage":true}'),
    ],
)
def test_anything_else_that_changed_in_a_request_is_noticed(body: bytes | None) -> None:
    assert len(request_differences(ASKED, body, model="theirs", metered=False)) == 1


def test_a_metered_request_must_ask_for_usage() -> None:
    assert request_differences(ASKED, sent(), model="theirs", metered=True)


def recording(body: bytes, status: int = 200, streamed: bool = True) -> Recording:
    return Recording("r", "openai_chat", streamed, status, (), body, None)


STREAM = b"".join(OPENAI)
KIND = b"text/event-stream"


@pytest.mark.parametrize(
    ("reply", "ok"),
    [
        (Received(200, KIND, STREAM), True),
        (Received(200, KIND, STREAM[:-1]), False),
        (Received(200, KIND, STREAM.replace(b'"Hi"', b'"Ho"')), False),
        (Received(200, KIND, STREAM + b": turnout\n\n"), False),
        (Received(502, KIND, STREAM), False),
        (Received(200, b"application/json", STREAM), False),
    ],
)
def test_a_reply_in_its_own_dialect_is_equal_or_not(reply: Received, ok: bool) -> None:
    assert (same(recording(STREAM), reply, usage_chunk=True) == []) is ok


def test_the_usage_chunk_is_for_clients_who_asked_for_it() -> None:
    bare = STREAM.replace(USAGE_CHUNK, b"")
    assert without_usage_chunk(STREAM) == bare
    assert without_usage_chunk(bare) == bare
    assert same(recording(STREAM), Received(200, KIND, bare), usage_chunk=False) == []
    assert same(recording(STREAM), Received(200, KIND, STREAM), usage_chunk=False)


def test_an_upstream_401_is_never_the_clients() -> None:
    refused = recording(b'{"error":{"message":"bad key"}}', 401, streamed=False)
    error = b'{"error":{"message":"m","type":"server_error"}}'
    assert same(refused, Received(502, b"application/json", error), usage_chunk=True) == []
    assert same(refused, Received(502, b"application/json", refused.body), usage_chunk=True)
    assert same(refused, Received(401, b"application/json", error), usage_chunk=True)


def test_an_error_must_be_one_of_the_clients_dialect() -> None:
    assert in_dialect("openai_chat", b'{"error":{"message":"m","type":"t"}}')
    assert in_dialect("anthropic", b'{"type":"error","error":{"message":"m","type":"t"}}')
    assert not in_dialect("anthropic", b'{"error":{"message":"m","type":"t"}}')
    assert not in_dialect("openai_chat", b'{"error":"m"}')
    assert not in_dialect("openai_chat", b"<html>")


# -- a request for a provider of the other dialect

OPENAI_REQUEST = {
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "a.1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "a.1", "content": "a cat"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
    ],
    "tool_choice": "required",
    "max_completion_tokens": 50,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": "END",
    "stream": True,
}
ANTHROPIC_REQUEST = {
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "a_1", "name": "f", "input": {"x": 1}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a_1", "content": "a cat"}]},
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "any"},
    "max_tokens": 50,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop_sequences": ["END"],
    "stream": True,
}
WANTED = asked("openai_chat", OPENAI_REQUEST)


def test_the_same_request_reads_the_same_in_both_dialects() -> None:
    assert asked("anthropic", ANTHROPIC_REQUEST) == WANTED
    assert WANTED.turns == [("user", "What is it?"), ("assistant", "Let me see.")]
    assert all(getattr(WANTED, name) != getattr(Asked(), name) for name in Asked.__struct_fields__)


@pytest.mark.parametrize("name", Asked.__struct_fields__)
def test_whatever_a_translated_request_lacks_is_named(name: str) -> None:
    found = structs.replace(WANTED, **{name: getattr(Asked(), name)})
    (difference,) = lost(WANTED, found, ())
    assert difference.startswith(name)


def test_text_under_a_heading_must_still_be_there() -> None:
    moved = structs.replace(WANTED, turns=[("user", "What is it?Heading:"), ("assistant", "Let me see.")])
    assert lost(WANTED, moved, ("tool_results.media",)) == []
    assert lost(WANTED, moved, ())
    short = structs.replace(WANTED, turns=[("user", "What is?Heading:"), ("assistant", "Let me see.")])
    assert lost(WANTED, short, ("tool_results.media",))


def test_arguments_that_are_no_object_must_be_kept_as_text() -> None:
    cut = structs.replace(WANTED, calls=[(0, "f", '{"x":')])
    kept = structs.replace(WANTED, calls=[(0, "f", '{"raw": "{\\"x\\":"}')])
    assert lost(cut, kept, ("tool_calls.arguments",)) == []
    assert lost(cut, kept, ())
    assert lost(cut, structs.replace(WANTED, calls=[(0, "f", "{}")]), ("tool_calls.arguments",))


# -- a reply that comes back


def test_a_turn_that_comes_back_changed_is_noticed() -> None:
    reply = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        ],
    }
    turn = spoken("anthropic", reply)
    assert turn is not None
    assert turn == Turn("Hi", [("hm", "s"), ("", "d")], [("a", "f", '{"x": 1}')])
    assert (
        differing(turn, returned("anthropic", {"messages": [{"role": "user", "content": "q"}, reply]})) == []
    )
    for spoilt in (
        structs.replace(turn, text="Ho"),
        structs.replace(turn, thinking=[("hm", ""), ("", "d")]),
        structs.replace(turn, thinking=[("hm", "s")]),
        structs.replace(turn, calls=[]),
        structs.replace(turn, calls=[("b", "f", '{"x": 1}')]),
        structs.replace(turn, calls=[("a", "f", "{}")]),
    ):
        assert len(differing(turn, spoilt)) == 1


def test_a_call_without_an_id_comes_back_with_one() -> None:
    function = {"name": "f", "arguments": '{"x":1}'}
    turn = spoken("openai_chat", {"choices": [{"message": {"content": None, "function_call": function}}]})
    assert turn is not None
    assert differing(turn, Turn(calls=[("a", "f", '{"x": 1}')])) == []
    assert differing(turn, Turn(calls=[("a", "g", '{"x": 1}')]))


# -- the verdict


def test_the_verdict() -> None:
    known, way, _ = next(key for key in EXPLAINED if key[1] == "across" and key[2] == ANY)
    good = [Outcome(f"r{n}", "openai_chat", way, True, ()) for n in range(400)]
    explained = Outcome(known, "openai_chat", way, True, ("text",))
    assert problems([*good, explained]) == []
    assert problems([*good, Outcome("new", "openai_chat", way, True, ("text",))])
    unneeded = problems([*good, Outcome(known, "openai_chat", way, True, ())])
    assert "take the explanation away" in unneeded[0]
    assert "below the bar" in problems([*good[:150], explained])[0]
    assert problems([]), "a run that tried nothing proves nothing"


def test_an_explanation_holds_for_the_dialect_that_it_names() -> None:
    known, way, who = next(key for key in EXPLAINED if key[2] != ANY)
    good = [Outcome(f"r{n}", "openai_chat", way, False, ()) for n in range(400)]
    here = Outcome(known, "openai_chat", way, False, ("text",), cast(Dialect, who))
    other = structs.replace(here, other="cohere")
    assert problems([*good, here]) == []
    assert len(problems([*good, here, other])) == 1
