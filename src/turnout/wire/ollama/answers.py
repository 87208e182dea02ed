"""A whole Ollama reply as events: one JSON object with the members of a stream's line. A body that says `done: false` is a part of one."""

from __future__ import annotations

import msgspec

from turnout.core.events import Event, Failed
from turnout.wire.body import malformed
from turnout.wire.ollama.failures import decode_reply_failure
from turnout.wire.ollama.meanings import UNREADABLE, Blocks, Piece, started
from turnout.wire.ollama.stream import TRUNCATED

_piece = msgspec.json.Decoder(Piece)


def decode_answer(body: bytes) -> tuple[Event, ...]:
    """Events of a whole reply, terminal event included."""
    try:
        piece = _piece.decode(body)
        if piece.error:
            return (Failed(decode_reply_failure(piece.error)),)
        if piece.message is None:
            return (Failed(malformed("The provider's reply is not a message.")),)
        blocks = Blocks()
        events = [started(piece), *blocks.events(piece)]
    except UNREADABLE:
        return (Failed(malformed("The provider's reply cannot be read.")),)
    end = [Failed(TRUNCATED)] if piece.done is False else blocks.end(piece)
    return (*events, *end)
