"""The `turnout` member in a provider's own chunk.

Promise: a chunk has it once. Where one chunk is the first and the last of its stream, the last annotation, which says all that the
first one does, takes its place. It must not know what a chunk means.
"""

from __future__ import annotations

_MEMBER = b',"turnout":'


def annotate(raw: bytes, annotation: bytes | None) -> bytes:
    """The member goes before the last brace of the chunk."""
    end = raw.rfind(b"}")
    if annotation is None or end < 0:
        return raw
    return b"".join((raw[:end], _MEMBER, annotation, raw[end:]))


def annotate_last(raw: bytes, first: bytes | None, last: bytes | None) -> bytes:
    """The same at the end of a stream. Inside a JSON string the quotes would be escaped, so what is found is the member."""
    if first is not None and last is not None:
        before, found, after = raw.rpartition(_MEMBER + first)
        if found:
            raw = before + after
    return annotate(raw, last)
