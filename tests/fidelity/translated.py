"""Recorded requests, translated for a provider of the other dialect: does the model get what the client asked for?

Every text, tool call, tool result, picture, tool and setting must arrive, or the codec must have named what it dropped. An excuse below is tied to
such a name and is as narrow as can be: text that had to move or to be introduced by a heading must still be there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.fidelity.asked import Asked, asked
from tests.fidelity.codecs import other
from tests.fidelity.recordings import Recording, all_recordings
from tests.fidelity.report import Outcome
from turnout.core.errors import CallFailed
from turnout.wire.codec import Target
from turnout.wire.registry import CODECS

_EVERYTHING = frozenset({"tools", "vision", "json_mode", "json_schema", "reasoning", "audio", "documents"})
TARGET = Target("m", capabilities=_EVERYTHING)


def outcomes() -> list[Outcome]:
    """Requests that their own provider answered; refused ones may well be untranslatable."""
    return [_outcome(r) for r in all_recordings() if r.status == 200 and isinstance(r.request, dict)]


def _outcome(recording: Recording) -> Outcome:
    body = {**recording.request, "model": "m"}
    return Outcome(
        recording.id, recording.dialect, "asked", recording.streamed, tuple(_tried(recording, body))
    )


def _tried(recording: Recording, body: dict[str, Any]) -> list[str]:
    far = other(recording.dialect)
    try:
        request = CODECS[recording.dialect].decode_request(json.dumps(body).encode())
    except CallFailed as error:
        return [f"refused: {error.failure.message}"]
    encoded = CODECS[far].encode_request(request, TARGET)
    return lost(asked(recording.dialect, body), asked(far, json.loads(encoded.body)), encoded.dropped)


def lost(wanted: Asked, found: Asked, dropped: Sequence[str]) -> list[str]:
    """Field by field, what did not arrive and was not named in `dropped`."""
    out = []
    for name in Asked.__struct_fields__:
        one, two = getattr(wanted, name), getattr(found, name)
        if one != two and not _excused(name, wanted, found, frozenset(dropped)):
            out.append(f"{name}: {str(one)[:160]} → {str(two)[:160]}")
    return out


def _excused(name: str, wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    match name:
        case "max_tokens":  # one dialect needs a number where the other may leave it to the model
            return wanted.max_tokens is None
        case "temperature":  # 1 is what both dialects take when nothing is said
            return "temperature.range" in dropped or (wanted.temperature == 1 and found.temperature is None)
        case "top_p":
            return "top_p" in dropped or (wanted.top_p == 1 and found.top_p is None)
        case "system":
            return _same_system(wanted, found, dropped)
        case "turns":
            return _same_texts(wanted, found, dropped)
        case "media":
            return "document.url" in dropped and not found.media
        case "calls":
            return _same_calls(wanted, found, dropped)
        case _:
            return False


def _words(text: str) -> str:
    return "".join(text.split())


def _same_system(wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    """Blocks may be joined in another way; a format that the target cannot promise is asked for in words at the end."""
    one, two = _words(wanted.system), _words(found.system)
    if "messages.system_position" in dropped and not found.system:
        return one == _words("".join(text for _, text in found.turns))
    return one == two or ("response_format.emulated" in dropped and two.startswith(one))


_HEADED = frozenset(
    {"tool_results.media", "document.citations", "document.context", "messages.system_position"}
)


def _same_texts(wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    """What one message of a dialect cannot hold moves to the next, under a heading: nothing said may be missing."""
    if not dropped & _HEADED:
        return False
    rest = iter("".join(text for _, text in found.turns))
    return all(character in rest for _, text in wanted.turns for character in text)


def _same_calls(wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    """Arguments that are no JSON object, which Anthropic's format demands, are kept as text in one."""
    if "tool_calls.arguments" not in dropped or len(wanted.calls) != len(found.calls):
        return False
    pairs = zip(wanted.calls, found.calls, strict=True)
    return all(one[:2] == two[:2] and _kept(one[2], two[2]) for one, two in pairs)


def _kept(one: str, two: str) -> bool:
    return one == two or one in json.loads(two).values()
