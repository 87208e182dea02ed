"""Every successful recording through the codecs: same dialect byte for byte, across dialects by what SDKs read."""

from __future__ import annotations

from tests.fidelity.codecs import across, other, same_dialect
from tests.fidelity.compare import differences
from tests.fidelity.recordings import Recording, all_recordings
from tests.fidelity.report import Outcome
from tests.fidelity.strict import complaints
from tests.fidelity.views import Tokens, View, view


def outcomes() -> list[Outcome]:
    out = []
    for recording in all_recordings():
        if recording.status == 200:
            out += [_same(recording), _across(recording)]
    return out


def _same(recording: Recording) -> Outcome:
    received = same_dialect(recording)
    found = () if received == recording.body else (first_difference(recording.body, received),)
    return Outcome(recording.id, recording.dialect, "same", recording.streamed, found)


def first_difference(one: bytes, two: bytes) -> str:
    at = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return f"byte {at} of {len(one)}: {one[at : at + 60]!r} → {two[at : at + 60]!r}"


def _across(recording: Recording) -> Outcome:
    client = other(recording.dialect)
    streamed, body = across(recording)
    try:
        expected = view(recording.dialect, recording.streamed, recording.body)
    except ValueError:  # nobody can read it: an error is the right answer
        expected = View([], Tokens(), failed=True)
    read = view(client, streamed, body)
    found = differences(expected, read, client) + complaints(client, streamed, body, read)
    return Outcome(recording.id, recording.dialect, "across", recording.streamed, tuple(found))
