"""One `GenerateContentResponse`, whole or a chunk of a stream, as events.

Blocks are numbered per candidate in the order in which they begin; text goes on in the open block until something else comes. A function
call is whole in one part, except where its arguments are streamed (see `partial`). Parts of any other kind (code and its result,
server-side tools, images) are `OpaqueBlock`s with the part's exact JSON, and so are what a candidate says beside its content: citations,
grounding, ratings, log-probabilities (kind `candidate.<name>`), and `promptFeedback` (kind `response.promptFeedback`). Of a candidate that
ended plainly without any content nothing is told beside it, so that an empty reply is seen to be empty.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    AudioDelta,
    Event,
    Failed,
    OpaqueBlock,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    Started,
    TextDelta,
    ToolDelta,
    ToolStart,
)
from turnout.wire.gemini.marks import DIALECT, EMPTY_MARK, TEXT_MARK, fingerprint, made_id, unseal
from turnout.wire.gemini.partial import Arguments, Fragment
from turnout.wire.gemini.reasons import decode_block, decode_stop, is_fault, reason_word
from turnout.wire.gemini.usage import WireUsage, canonical

CANDIDATE_KIND = "candidate."
RESPONSE_KIND = "response."
FEEDBACK_KIND = RESPONSE_KIND + "promptFeedback"
UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)


class _Call(Struct, rename="camel"):
    id: str | None = None
    name: str | None = None
    args: Raw = Raw()
    partial_args: list[Fragment] | None = None
    will_continue: bool | None = None


class _Blob(Struct, rename="camel"):
    mime_type: str | None = None
    data: str | None = None


class _Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None
    inline_data: _Blob | None = None


class _Content(Struct):
    parts: list[_Part] | None = None


class _Candidate(Struct, rename="camel"):
    index: int | None = None
    content: _Content | None = None
    finish_reason: str | int | None = None
    citation_metadata: Raw = Raw()
    grounding_metadata: Raw = Raw()
    grounding_attributions: Raw = Raw()
    url_context_metadata: Raw = Raw()
    safety_ratings: Raw = Raw()
    logprobs_result: Raw = Raw()
    avg_logprobs: Raw = Raw()
    finish_message: Raw = Raw()


class Chunk(Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: WireUsage | None = None
    prompt_feedback: Raw = Raw()
    response_id: str | None = None
    model_version: str | None = None
    create_time: str | None = None
    error: Raw = Raw()


class _Feedback(Struct, rename="camel"):
    block_reason: str | int | None = None


class _RawContent(Struct):
    parts: list[Raw] | None = None


class _RawCandidate(Struct):
    content: _RawContent | None = None


class _RawChunk(Struct):
    candidates: list[_RawCandidate] | None = None


_SAID_BESIDE = {
    "citation_metadata": "citationMetadata",
    "grounding_metadata": "groundingMetadata",
    "grounding_attributions": "groundingAttributions",
    "url_context_metadata": "urlContextMetadata",
    "safety_ratings": "safetyRatings",
    "logprobs_result": "logprobsResult",
    "avg_logprobs": "avgLogprobs",
    "finish_message": "finishMessage",
}
_feedback = msgspec.json.Decoder(_Feedback)
_raw_chunk = msgspec.json.Decoder(_RawChunk)
_members = msgspec.json.Decoder(dict[str, Raw])
read_chunk = msgspec.json.Decoder(Chunk).decode


def given(raw: Raw) -> bool:
    return len(bytes(raw)) > 0 and bytes(raw) != b"null"


def _says_more(candidate: _Candidate) -> bool:
    return bool(
        len(candidate.safety_ratings)
        or len(candidate.grounding_metadata)
        or len(candidate.citation_metadata)
        or len(candidate.avg_logprobs)
        or len(candidate.finish_message)
        or len(candidate.url_context_metadata)
        or len(candidate.logprobs_result)
        or len(candidate.grounding_attributions)
    )


class _Choice:
    """Where a candidate's content stands."""

    __slots__ = ("arguments", "beside", "ended", "index", "kind", "said")

    def __init__(self) -> None:
        self.index = -1  # number of the block that was opened last
        self.kind = ""  # "text", "thought", or "" when nothing can go on
        self.arguments: Arguments | None = None  # of the call whose arguments are being streamed
        self.beside: dict[
            str, Raw
        ] = {}  # what was said beside the content; chunks repeat it, the last counts
        self.ended = False
        self.said = False  # is there more than thoughts?


class Reader:
    """Chunks of one reply, in order. A model that breaks off before it said anything has failed: `Failed` is the last event then."""

    __slots__ = ("_broken_off", "_calls", "_choices", "_id", "blocked", "started")

    def __init__(self) -> None:
        self.started = False
        self.blocked = False
        self._broken_off = ""
        self._id = ""
        self._calls = 0
        self._choices: dict[int, _Choice] = {}

    @property
    def complete(self) -> bool:
        """Has every candidate that was begun said why it ended, after all that it said? A blocked prompt has none."""
        if not self._choices:
            return self.blocked
        return all(choice.ended for choice in self._choices.values())

    def events(self, chunk: Chunk, data: bytes) -> list[Event]:
        """`data` is the chunk's JSON text. Raises one of `UNREADABLE` where the parts are not what they should be."""
        events: list[Event] = []
        if not self.started:
            self.started = True
            self._id = chunk.response_id or fingerprint(data)
            events.append(
                Started(chunk.response_id or "", chunk.model_version or "", _unix(chunk.create_time))
            )
        for position, candidate in enumerate(chunk.candidates or ()):
            self._candidate(candidate, position, data, events)
        if len(chunk.prompt_feedback) and given(chunk.prompt_feedback):
            self._prompt_feedback(chunk, events)
        if chunk.usage_metadata is not None and (usage := canonical(chunk.usage_metadata)) is not None:
            events.append(usage)
        if self._broken_off and not any(choice.said for choice in self._choices.values()):
            word = self._broken_off
            failure = Failure(
                Kind.EMPTY, f"The model broke off without an answer ({word}).", provider_code=word
            )
            events.append(Failed(failure))
        return events

    def _prompt_feedback(self, chunk: Chunk, events: list[Event]) -> None:
        events.append(OpaqueBlock(DIALECT, FEEDBACK_KIND, chunk.prompt_feedback.copy(), 0))
        word = _feedback.decode(chunk.prompt_feedback).block_reason
        if word and not self._choices:
            self.blocked = True
            events.append(decode_block(str(word)))

    def _candidate(self, candidate: _Candidate, position: int, data: bytes, events: list[Event]) -> None:
        number = position if candidate.index is None or candidate.index < 0 else candidate.index
        choice = self._choices.get(number)
        if choice is None:
            choice = self._choices[number] = _Choice()
        for place, part in enumerate(candidate.content.parts or () if candidate.content else ()):
            if part.text is None and part.function_call is None:
                self._other(part, (position, place), choice, number, data, events)
            else:
                self._part(part, choice, number, events)
        if _says_more(candidate):
            for member, name in _SAID_BESIDE.items():
                raw: Raw = getattr(candidate, member)
                if given(raw):
                    choice.beside[name] = raw.copy()
        word = reason_word(candidate.finish_reason)
        if word:
            self._end_call(choice, number, events)
            choice.ended = True
            stop = decode_stop(word, number)
            if choice.index >= 0 or stop.reason not in ("stop", "other"):
                self._beside(choice, number, events)
            events.append(stop)
            if is_fault(word):
                self._broken_off = word

    def _beside(self, choice: _Choice, number: int, events: list[Event]) -> None:
        for name, raw in choice.beside.items():
            events.append(OpaqueBlock(DIALECT, CANDIDATE_KIND + name, raw, 0, number))
        choice.beside.clear()

    def rest(self) -> list[Event]:
        """What is left of a whole reply whose candidates did not say why they ended."""
        events: list[Event] = []
        for number, choice in self._choices.items():
            self._end_call(choice, number, events)
            self._beside(choice, number, events)
        return events

    def _part(self, part: _Part, choice: _Choice, number: int, events: list[Event]) -> None:
        if part.function_call is not None:
            self._call(part.function_call, part.thought_signature, choice, number, events)
        elif part.thought:
            self._thought(part, choice, number, events)
        else:
            self._text(part, choice, number, events)

    def _text(self, part: _Part, choice: _Choice, number: int, events: list[Event]) -> None:
        if part.text:
            index = self._block(choice, "text", number, events)
            events.append(TextDelta(part.text, index, number))
        if part.thought_signature:
            mark = TEXT_MARK if part.text else EMPTY_MARK
            self._signature(part.thought_signature, mark, choice, number, events)

    def _thought(self, part: _Part, choice: _Choice, number: int, events: list[Event]) -> None:
        if part.text:
            index = self._block(choice, "thought", number, events)
            events.append(ReasoningDelta(part.text, index, number))
        if part.thought_signature:
            self._signature(part.thought_signature, "", choice, number, events)

    def _signature(
        self, signature: str, mark: str, choice: _Choice, number: int, events: list[Event]
    ) -> None:
        """A proof closes its block: the next text or thought begins another."""
        proof, origin, redacted = unseal(signature)
        if proof is None:
            return
        if mark or redacted or choice.kind != "thought":
            index = self._block(choice, "proof", number, events)
        else:
            index = choice.index
        choice.kind = ""
        if redacted:
            events.append(ReasoningRedacted(proof, origin or "", index, number))
        else:
            events.append(ReasoningSignature(mark + proof, origin or "", index, number))

    def _call(
        self, call: _Call, signature: str | None, choice: _Choice, number: int, events: list[Event]
    ) -> None:
        if call.name:
            self._end_call(choice, number, events)
            index = self._block(choice, "call", number, events)
            proof, origin, _ = unseal(signature)
            call_id = call.id or made_id(self._id, self._calls)
            self._calls += 1
            events.append(ToolStart(index, call_id, call.name, number, False, proof, origin))
            if not call.will_continue and not call.partial_args:
                arguments = bytes(call.args).decode() if given(call.args) else "{}"
                events.append(ToolDelta(index, arguments, number))
                return
            choice.arguments = Arguments()
        if choice.arguments is not None:
            for fragment in call.partial_args or ():
                choice.arguments.add(fragment)
            if not call.will_continue:
                self._end_call(choice, number, events)

    def _end_call(self, choice: _Choice, number: int, events: list[Event]) -> None:
        if choice.arguments is not None:
            events.append(ToolDelta(choice.index, choice.arguments.text(), number))
            choice.arguments = None

    def _block(self, choice: _Choice, kind: str, number: int, events: list[Event]) -> int:
        """Number of the block that a piece of this kind belongs to."""
        choice.ended = False
        choice.said = choice.said or kind not in ("thought", "proof")
        if choice.arguments is not None:
            self._end_call(choice, number, events)
        if kind not in ("text", "thought") or choice.kind != kind:
            choice.index += 1
            choice.kind = kind
        return choice.index

    def _other(
        self,
        part: _Part,
        place: tuple[int, int],
        choice: _Choice,
        number: int,
        data: bytes,
        events: list[Event],
    ) -> None:
        """A part without text or function call."""
        blob = part.inline_data
        if blob is not None and blob.data and (blob.mime_type or "").startswith("audio/"):
            self._block(choice, "audio", number, events)
            events.append(AudioDelta(blob.data, "", blob.mime_type, number))
            return
        raw = _raw_part(data, place)
        kind = next((name for name in _members.decode(raw) if name not in _PART_DETAILS), "")
        if kind:
            index = self._block(choice, "other", number, events)
            events.append(OpaqueBlock(DIALECT, kind, raw.copy(), index, number))
        elif part.thought_signature:
            self._signature(
                part.thought_signature, "" if part.thought else EMPTY_MARK, choice, number, events
            )


_PART_DETAILS = frozenset(
    {
        "thought",
        "thoughtSignature",
        "text",
        "functionCall",
        "partMetadata",
        "videoMetadata",
        "mediaResolution",
    }
)


def _raw_part(data: bytes, place: tuple[int, int]) -> Raw:
    content = (_raw_chunk.decode(data).candidates or [])[place[0]].content
    assert content is not None and content.parts is not None
    return content.parts[place[1]]


def _unix(created: str | None) -> int | None:
    """Seconds; the format writes RFC 3339 with nanoseconds."""
    if not created:
        return None
    try:
        return int(datetime.fromisoformat(created[:19] + "+00:00").timestamp())
    except ValueError:
        return None
