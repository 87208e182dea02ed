"""Failures for clients of this dialect. Providers' own are told as in OpenAI's other dialect and are read by the same code.

Outside a stream the error body is OpenAI's. Inside one a failure is told twice, as OpenAI does it: an `error` event, which
its SDK raises, and `response.failed`, which clients that only follow the response's status look at.
"""

from __future__ import annotations

import msgspec

from turnout.core.errors import Failure
from turnout.wire.openai_chat.errors import encode_error
from turnout.wire.openai_responses.answers import error_code, whole
from turnout.wire.openai_responses.marks import reply_id

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def failed_events(failure: Failure, request_id: str, response: bytes, number: int) -> bytes:
    """`response` is the response object as it failed, `number` the sequence number of the first of the two events."""
    error = _members.decode(encode_error(failure, request_id))["error"]
    return (
        b'event: error\ndata: {"type":"error","sequence_number":%d,"code":%b,"message":%b,"param":%b,"error":%b}\n\n'
        b'event: response.failed\ndata: {"type":"response.failed","sequence_number":%d,"response":%b}\n\n'
        % (
            number,
            _encode(error_code(failure)),
            _encode(failure.message),
            _encode(failure.param),
            bytes(error),
            number + 1,
            response,
        )
    )


def encode_stream_error(
    failure: Failure,
    request_id: str,
    provider_id: str = "",
    created: int = 0,
    model: str = "",
    number: int = 0,
) -> bytes:
    """The same where nothing else is known of the response that failed."""
    response = whole(reply_id(provider_id, request_id), created, model, (), None, None, failure)
    return failed_events(failure, request_id, response, number)
