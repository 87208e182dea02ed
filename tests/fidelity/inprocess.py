"""Every successful recording through the codecs: same dialect byte for byte, across dialects by what SDKs read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.fidelity.codecs import across, clients_of, events, own_codec, same_dialect, spoken
from tests.fidelity.compare import differences
from tests.fidelity.recordings import Dialect, Recording
from tests.fidelity.report import Outcome, features
from tests.fidelity.strict import complaints
from tests.fidelity.views import View, view
from tests.fidelity.views.said import failure
from turnout.core.events import Event


def outcomes(recordings: Sequence[Recording] | None = None) -> list[Outcome]:
    """Of all recordings, or of those given."""
    chosen = spoken() if recordings is None else recordings
    return [outcome for recording in chosen if recording.status == 200 for outcome in _tried(recording)]


def _tried(recording: Recording) -> Iterator[Outcome]:
    codec = own_codec(recording.dialect)
    if codec is not None:
        received = same_dialect(recording, codec)
        found = () if received == recording.body else (first_difference(recording.body, received),)
        yield Outcome(recording.id, recording.dialect, "same", recording.streamed, found, recording.dialect)
    decoded = events(recording)
    expected = expected_view(recording)
    for client in clients_of(recording.dialect):
        yield _across(recording, decoded, expected, client)


def first_difference(one: bytes, two: bytes) -> str:
    at = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return f"byte {at} of {len(one)}: {one[at : at + 60]!r} → {two[at : at + 60]!r}"


def expected_view(recording: Recording) -> View:
    try:
        return view(recording.dialect, recording.streamed, recording.body)
    except ValueError:  # nobody can read it: an error is the right answer
        return failure()


def _across(recording: Recording, decoded: Sequence[Event], expected: View, client: Dialect) -> Outcome:
    body = across(recording, decoded, client)
    read = view(client, recording.streamed, body)
    found = differences(expected, read, client)
    found += complaints(client, recording.streamed, body, read)
    if recording.streamed:
        batch = view(client, True, across(recording, decoded, client, at_once=True))
        found += [f"all events at once: {difference}" for difference in differences(read, batch, client)]
    return Outcome(
        recording.id,
        recording.dialect,
        "across",
        recording.streamed,
        tuple(found),
        client,
        features(expected),
    )
