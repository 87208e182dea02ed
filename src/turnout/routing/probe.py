"""Whether a body could make a remembered plan wrong, told without decoding it.

A caller who names a model gets a remembered plan, and its body is relayed unread. That plan's candidates were checked against
every rule, but not against what this request needs. A probe knows which needs and sizes would matter to the candidates at
all, and looks for the few words that a body with such a need must contain. Promise: where it clears a body, filters would remove
nobody; where it does not, the body is decoded and filtered. It errs on that side only: a prompt that speaks of images costs a
decision in full, nothing else.

It relies on the JSON spelling that every client uses: a body that spells its own member names in `\\u` escapes is not recognised.
No rule about who may use what rests on it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from msgspec import Raw, Struct

from turnout.core.call import Envelope
from turnout.core.card import Capability, Card

TOKENS_PER_BYTE_MAX = 3  # an estimate is below one a byte, message frames included; the rest is margin
OUTPUT_TOKENS_MAX = 4_096  # above what an answer is expected to take where the caller sets no limit

_MEDIA: Mapping[Capability, tuple[bytes, ...]] = {
    "vision": (b"image",),
    "audio": (b"audio",),
    "documents": (b"file", b"document", b"nlineData", b"nline_data"),
}
_WORDS: Mapping[Capability, tuple[bytes, ...]] = {
    **_MEDIA,
    "tools": (b"tool", b"unction"),
    "json_schema": (b"chema",),
    "json_mode": (b"json_object", b"response_format", b"esponseMime", b"esponse_mime", b"chema"),
}
_OUTPUT_FIELDS = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "generationConfig",
    "generation_config",
)
_OUTPUT_NAMES = frozenset(_OUTPUT_FIELDS)
_UNTYPED = frozenset({"contents", "tools", "functions", "generationConfig", "generation_config"})
"""Members that hold parts, tools and formats without a `type`: everywhere else these have one."""
_ANY_MEDIA = tuple(word for words in _MEDIA.values() for word in words)


class Probe(Struct, frozen=True):
    """`words` of the needs that some candidate lacks, the smallest output limit, and the body up to which every window holds."""

    words: tuple[bytes, ...]
    output_tokens: int
    body_bytes: int

    def clears(self, envelope: Envelope) -> bool:
        """Whether the body can be relayed to any of the candidates without a further look."""
        body, fields = envelope.body, envelope.fields
        if len(body) > self.body_bytes:
            return False
        names = fields.keys()
        if not names.isdisjoint(_OUTPUT_NAMES) and not self._holds_output(fields, len(body)):
            return False
        typed = b'"type"' in body or not names.isdisjoint(_UNTYPED)
        return not typed or self._has_no_word(body)

    def _has_no_word(self, body: bytes) -> bool:
        for word in self.words:  # noqa: SIM110 - a loop, for speed: every request to a model by name passes here
            if word in body:
                return False
        return True

    def _holds_output(self, fields: Mapping[str, Raw], body_bytes: int) -> bool:
        output = _output_asked(fields)
        if output is None or output > self.output_tokens:
            return False
        room = (self.body_bytes - body_bytes) * TOKENS_PER_BYTE_MAX + OUTPUT_TOKENS_MAX
        return output <= room


def probe_for(named: Iterable[Card], others: Iterable[Card]) -> Probe | None:
    """What to look for; `None` where nothing that a request needs could matter."""
    lacked = {need for card in named for need in PLAIN_NEEDS if _lacks(card, need)}
    windows, outputs = [], []
    for card in others:
        lacked.update(need for need in _WORDS if _lacks(card, need))
        windows += [] if card.context_window is None else [card.context_window]
        outputs += [] if card.max_output is None else [card.max_output]
    words = [word for need in _WORDS if need in lacked for word in _WORDS[need]]
    if windows:  # media take room out of proportion to the bytes that name them
        words += _ANY_MEDIA
    if not words and not outputs:
        return None
    room = min(windows, default=sys.maxsize) - OUTPUT_TOKENS_MAX
    return Probe(
        tuple(dict.fromkeys(words)), min(outputs, default=sys.maxsize), max(0, room // TOKENS_PER_BYTE_MAX)
    )


PLAIN_NEEDS: frozenset[Capability] = frozenset({"tools", "vision"})
"""What a model named outright must be able to do. Formats and documents may be put into words or text for it; sizes are counted
by its provider, who knows them better than an estimate, and a caller's own beta headers may widen them."""


def _lacks(card: Card, need: Capability) -> bool:
    if not card.capabilities or need in card.capabilities:
        return False
    return need != "json_mode" or "json_schema" not in card.capabilities


def _output_asked(fields: Mapping[str, Raw]) -> int | None:
    """Tokens, 0 where no limit is set; `None` where it cannot be told at a glance."""
    asked = 0
    for name in fields.keys() & _OUTPUT_NAMES:
        text = bytes(fields[name])
        if text.isdigit() and len(text) < 10:
            asked = max(asked, int(text))
        elif text != b"null":
            return None
    return asked
