"""What the encoder must not lose."""

from __future__ import annotations

from turnout.core.errors import Failure, Kind
from turnout.core.events import Failed, Started, TextDelta
from turnout.wire.codec import Meta
from turnout.wire.gemini import CODEC


def test_text_before_a_failure_in_one_batch_is_not_lost() -> None:
    encoder = CODEC.stream_encoder(Meta("req_1", 1, "m", True))
    data = encoder.encode([Started("id", "m"), TextDelta("Hel"), Failed(Failure(Kind.TRUNCATED, "cut"))])
    assert data.index(b'"Hel"') < data.index(b'"error"')
