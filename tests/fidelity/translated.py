"""Recorded requests, translated for providers of every other dialect: does the model get what the client asked for?

Every text, tool call, tool result, picture, tool and setting must arrive, or the codec must have named what it dropped. An excuse below is tied to
such a name and is as narrow as can be: text that had to move or to be introduced by a heading must still be there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tests.fidelity.asked import IN_THE_PATH, Asked, asked
from tests.fidelity.codecs import spoken
from tests.fidelity.excuses import excused
from tests.fidelity.recordings import Dialect, Recording
from tests.fidelity.report import Outcome
from turnout.core.errors import CallFailed
from turnout.core.model import Request
from turnout.wire.codec import Target
from turnout.wire.losses import losses_to
from turnout.wire.registry import CODECS, PROVIDERS

_EVERYTHING = frozenset({"tools", "vision", "json_mode", "json_schema", "reasoning", "audio", "documents"})
TARGET = Target("m", capabilities=_EVERYTHING)
_ELSEWHERE = ("previous_response_id", "conversation")
"""Members that stand for a conversation which only the provider has: such a request cannot go to another."""


def outcomes(recordings: Sequence[Recording] | None = None) -> list[Outcome]:
    """Requests that their own provider answered; refused ones may well be untranslatable."""
    chosen = spoken() if recordings is None else recordings
    return [
        outcome
        for r in chosen
        if r.status == 200 and isinstance(r.request, dict) and r.dialect in CODECS
        if not any(r.request.get(name) for name in _ELSEWHERE)
        for outcome in _tried(r, {**r.request, "model": "m"})
    ]


def _tried(recording: Recording, body: dict[str, Any]) -> Iterator[Outcome]:
    near = recording.dialect
    request: Request | CallFailed
    try:
        request = CODECS[near].decode_request(json.dumps(body).encode())
    except CallFailed as error:
        request = error
    wanted = Asked() if isinstance(request, CallFailed) else asked(near, body)
    for far in PROVIDERS:
        if far != near:
            found = tuple(_differences(request, wanted, near, far))
            yield Outcome(recording.id, near, "asked", recording.streamed, found, far)


def _differences(request: Request | CallFailed, wanted: Asked, near: Dialect, far: Dialect) -> list[str]:
    if isinstance(request, CallFailed):
        return [f"refused: {request.failure.message}"]
    try:
        encoded = PROVIDERS[far].encode_request(request, TARGET)
    except CallFailed as error:
        return [f"refused: {error.failure.message}"]
    undeclared = set(encoded.dropped) - set(losses_to(far))
    found = asked(far, json.loads(encoded.body))
    if near in IN_THE_PATH or far in IN_THE_PATH:
        found.stream = wanted.stream
    out = [f"dropped, but not declared: {name}" for name in sorted(undeclared)]
    return out + lost(wanted, found, encoded.dropped)


def lost(wanted: Asked, found: Asked, dropped: Sequence[str]) -> list[str]:
    """Field by field, what did not arrive and was not named in `dropped`."""
    out = []
    for name in Asked.__struct_fields__:
        one, two = getattr(wanted, name), getattr(found, name)
        if one != two and not excused(name, wanted, found, frozenset(dropped)):
            out.append(f"{name}: {str(one)[:160]} → {str(two)[:160]}")
    return out
