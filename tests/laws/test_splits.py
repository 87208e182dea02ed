"""What a client receives does not depend on how the provider's bytes fell into reads: relayed, or encoded in the other dialect.

`test_streams` holds the decoders to this; here are the writers behind them, fed read by read as the gateway feeds them.
"""

from __future__ import annotations

import random

import pytest

from tests.fidelity.codecs import META, quirks
from tests.fidelity.recordings import Recording
from tests.laws.test_streams import STREAMS, other, pytestmark, split
from turnout.core.errors import Failure
from turnout.wire.registry import CODECS

__all__ = ["pytestmark"]

ONE_BYTE_READS_BYTES_MAX = 3_000


def delivered(
    recording: Recording, pieces: list[bytes], failure: Failure | None = None
) -> tuple[bytes, bytes]:
    """What a client of the same and one of the other dialect have received at the end."""
    codec, far = CODECS[recording.dialect], CODECS[other(recording.dialect)]
    decoder, relay, encoder = (
        codec.stream_decoder(quirks(recording)),
        codec.relay(META),
        far.stream_encoder(META),
    )
    same, across = [], []
    for frames in [*(decoder.feed(piece) for piece in pieces), decoder.eof(failure)]:
        same.append(relay.relay(frames))
        across.append(encoder.encode([event for frame in frames for event in frame.events]))
    return b"".join(same), b"".join(across)


@pytest.mark.parametrize("recording", STREAMS, ids=lambda r: r.id.rsplit("/", 1)[-1])
def test_any_split_writes_the_same_bytes(recording: Recording) -> None:
    body = recording.body
    whole = delivered(recording, [body])
    assert whole[0] == body
    rng = random.Random(recording.id)
    ways = [split(body, [rng.randrange(len(body)) for _ in range(n)]) for n in (1, 7, 50)]
    if len(body) < ONE_BYTE_READS_BYTES_MAX:
        ways.append([bytes([byte]) for byte in body])
    for pieces in ways:
        assert delivered(recording, pieces) == whole
