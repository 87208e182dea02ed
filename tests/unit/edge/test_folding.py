"""A stream that is made one whole reply: bounded, however much the provider says."""

from __future__ import annotations

import pytest

from tests.unit.layers.support import ScriptedReply, a_call, card
from turnout.core.errors import CallFailed, Kind
from turnout.core.events import Event, Finished, Started, TextDelta
from turnout.edge import ingress
from turnout.wire.registry import CODECS


@pytest.mark.parametrize(("texts", "fits"), [(10, True), (10_000, False)])
async def test_a_folded_stream_is_bounded(monkeypatch: pytest.MonkeyPatch, texts: int, fits: bool) -> None:
    monkeypatch.setattr(ingress, "_FOLDED_BYTES_MAX", 5_000)
    events: tuple[Event, ...] = (Started(), *[TextDelta("word ")] * texts, Finished())
    reply = ScriptedReply(card("a"), events)
    if fits:
        assert b"word word" in await ingress._folded(a_call(), reply, (), CODECS["openai_chat"])
    else:
        with pytest.raises(CallFailed) as caught:
            await ingress._folded(a_call(), reply, (), CODECS["openai_chat"])
        assert caught.value.failure.kind is Kind.MALFORMED
