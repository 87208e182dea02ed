"""Whatever bytes come: the provider's never raise, the client's raise `BAD_REQUEST` and nothing else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wire.anthropic.wire import META
from turnout.core.errors import CallFailed, Kind
from turnout.core.events import Automaton, fold
from turnout.wire.anthropic import CODEC
from turnout.wire.codec import Target

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "text", "text": "Hi", "citations": [{"type": "char_location"}]},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 4, "cache_creation": {"ephemeral_1h_input_tokens": 1}},
}
REQUEST: dict[str, Any] = {
    "model": "m",
    "max_tokens": 10,
    "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "1"}]},
    ],
    "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {}}},
    "metadata": {"user_id": "u"},
}
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.text(max_size=4),
    st.just([]),
    st.just({}),
    st.just([{}]),
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, child in inner for path in ((*at, key), *paths(child, (*at, key)))]


def spoilt(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    copy = json.loads(json.dumps(value))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = by
    return copy


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(paths(MESSAGE)), junk)
def test_a_spoilt_message_never_raises(path: tuple[Any, ...], by: Any) -> None:
    events = CODEC.decode_answer(json.dumps(spoilt(MESSAGE, path, by)).encode())
    automaton = Automaton()
    for event in events:
        automaton.accept(event)
    assert automaton.ended
    json.loads(CODEC.encode_answer(fold(events), META))
    CODEC.stream_encoder(META).encode(events)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(paths(REQUEST)), junk)
def test_a_spoilt_request_is_bad_or_can_be_sent_on(path: tuple[Any, ...], by: Any) -> None:
    try:
        request = CODEC.decode_request(json.dumps(spoilt(REQUEST, path, by)).encode())
    except CallFailed as error:
        assert error.failure.kind is Kind.BAD_REQUEST and error.failure.param is not None
    else:
        json.loads(CODEC.encode_request(request, Target("m")).body)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_as_a_message_or_a_count(data: bytes) -> None:
    assert CODEC.decode_answer(data)
    CODEC.decode_usage("count_tokens", data)
