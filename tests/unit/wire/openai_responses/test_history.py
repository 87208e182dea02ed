"""`previous_response_id`, resolved outside of the provider."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw
from openai.types.responses import ResponseItemList

from tests.unit.wire.openai_responses.wire import META, encode
from turnout.core.errors import CallFailed
from turnout.core.events import Finished, Started, Stop, TextDelta, fold
from turnout.wire.openai_responses import CODEC
from turnout.wire.openai_responses.history import (
    deleted_json,
    finished,
    finished_stream,
    input_items,
    input_list_json,
    is_stored,
    items_of,
    items_text,
    previous_id,
    with_history,
)

EARLIER = (
    Raw(b'{"role" : "user","content":"Hi"}'),
    Raw(b'{"type":"function_call","arguments":"{\\"a\\": 1.0}","call_id":"c","name":"f","n":1.50}'),
)
EVENTS = (Started("resp_9"), TextDelta("Hello"), Stop("stop"), Finished())


def test_earlier_items_come_first_and_verbatim() -> None:
    body = b'{"model":"m","previous_response_id":"resp_1","input":[ {"role":"user","content":"\\u00e9"} ],"x":1.0}'
    assert with_history(body, EARLIER) == (
        b'{"model":"m","input":[{"role" : "user","content":"Hi"},'
        b'{"type":"function_call","arguments":"{\\"a\\": 1.0}","call_id":"c","name":"f","n":1.50},'
        b'{"role":"user","content":"\\u00e9"}],"x":1.0}'
    )


def test_text_becomes_a_message() -> None:
    body = b'{"model":"m","input":"\\u00e9 \\"x\\"","previous_response_id":"resp_1"}'
    request = CODEC.decode_request(with_history(body, EARLIER[:1]))
    assert [message.role for message in request.messages] == ["user", "user"] and request.extras == ()
    (item,) = input_items(CODEC.peek(body).fields)
    assert bytes(item) == b'{"type":"message","role":"user","content":"\\u00e9 \\"x\\""}'


def test_what_a_request_says_of_storing() -> None:
    fields = CODEC.peek(b'{"model":"m","previous_response_id":"resp_1","store":false}').fields
    assert previous_id(fields) == "resp_1" and not is_stored(fields) and input_items(fields) == ()
    assert is_stored({}) and is_stored({"store": Raw(b"null")}) and previous_id({}) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","previous_response_id":"r","input":5}',
        b'{"model":"m","previous_response_id":"r","conversation":"conv_1"}',
    ],
)
def test_bodies_that_cannot_be_continued_are_refused(body: bytes) -> None:
    with pytest.raises(CallFailed):
        with_history(body, EARLIER)


def test_replies_are_found_in_bodies_and_streams() -> None:
    whole = finished(CODEC.encode_answer(fold(EVENTS), META))
    stream = encode(EVENTS)
    streamed = finished_stream(stream[stream.rindex(b"event: response.output_item.done") :])
    assert whole is not None and streamed is not None
    for found in (whole, streamed, finished_stream(stream.replace(b"\n", b"\r\n") + b"data: [DONE]\n\n")):
        assert found is not None and found.id == "resp_9"
        (item,) = found.output
        assert json.loads(bytes(item))["content"][0]["text"] == "Hello"
    assert finished(b"{}") is None and finished(b"<html>") is None
    assert finished_stream(encode(EVENTS[:2])) is None and finished_stream(b"") is None


def test_items_survive_as_text() -> None:
    assert [bytes(raw) for raw in items_of(items_text(EARLIER))] == [bytes(raw) for raw in EARLIER]


def test_pages_of_input_items() -> None:
    items = [*EARLIER, Raw(b'{"type":"message","id":"msg_7","role":"user","content":[]}')]
    page = ResponseItemList.model_validate_json(
        input_list_json("resp_1", items[2:], after=None, limit=20, descending=True)
    )
    assert page.first_id == page.last_id == "msg_7" and not page.has_more
    first = json.loads(input_list_json("resp_1", items, after=None, limit=2, descending=False))
    assert [item["id"] for item in first["data"]] == ["item_1_0", "item_1_1"] and first["has_more"]
    assert first["data"][0]["type"] == "message"
    rest = json.loads(input_list_json("resp_1", items, after=first["last_id"], limit=2, descending=False))
    assert [item["id"] for item in rest["data"]] == ["msg_7"] and not rest["has_more"]
    assert json.loads(deleted_json("resp_1")) == {"id": "resp_1", "object": "response", "deleted": True}
