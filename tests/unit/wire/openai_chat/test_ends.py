"""Where a chat stream ends."""

from __future__ import annotations

import pytest

from turnout.core.errors import Failure, Kind
from turnout.core.events import Failed, Finished
from turnout.wire.openai_chat import CODEC


@pytest.mark.parametrize(("reason", "complete"), [("stop", True), ("length", True), ("error", False)])
def test_a_whole_transfer_without_its_marker(reason: str, complete: bool) -> None:
    """Routers leave `[DONE]` out: with a reason for every choice, and a transfer that is proven whole, nothing is missing."""
    data = (
        b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"%b"}]}\n\n'
        % reason.encode()
    )
    for failure in (None, Failure(Kind.TRUNCATED, "cut")):
        decoder = CODEC.stream_decoder()
        events = [event for frame in decoder.feed(data) + decoder.eof(failure) for event in frame.events]
        assert isinstance(events[-1], Finished if complete and failure is None else Failed)
