"""Opening a `multipart/form-data` body just far enough to route it, and setting its model.

Promise: what is not ours keeps its bytes; a file's content is never taken for a field. The grammar is RFC 7578's without its
freedoms: no preamble, no epilogue, CRLF only, no padding after a boundary, no escapes in a field's name, no transfer encodings. Whatever two
parsers could read differently is refused, because the provider is the second parser: a body in which it saw another model than we did
would pass an allow list unseen. Nothing is copied but the few short text fields that routing looks at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from turnout.core.call import Envelope, Form
from turnout.core.errors import CallFailed
from turnout.wire.body import bad, json_text

PARTS_MAX = 256
PART_HEAD_BYTES_MAX = 8 * 1024
SHORT_FIELD_BYTES_MAX = 1024
TEXT_FIELD_BYTES_MAX = 1024 * 1024

_CONTENT_TYPE = re.compile(rb"multipart/form-data(?:[ \t]*;[ \t]*(.*))?\Z", re.IGNORECASE)
_PARAMETER = re.compile(
    rb"""([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"([^"\\\r\n]*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))[ \t]*(?:;[ \t]*|\Z)"""
)
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_DISPOSITION = re.compile(
    rb"""form-data((?:[ \t]*;[ \t]*[A-Za-z0-9*_-]+=(?:"[^"\r\n]*"|[^\s;"]+))+)[ \t]*\Z""", re.IGNORECASE
)
_PIECE = re.compile(rb"""[ \t]*;[ \t]*([A-Za-z0-9*_-]+)=(?:"([^"\r\n]*)"|([^\s;"]+))""")
_IDENTITY = frozenset({b"7bit", b"8bit", b"binary"})
_TRUE = frozenset({"true", "True", "TRUE", "1"})
_SHORT = frozenset({"model", "stream", "n", "quality"})
_TEXT = frozenset({"prompt", "turnout"})


class Part(Struct, frozen=True):
    """`begin` to `end` is the whole part with the boundary line before it; `value` is where its content is."""

    name: str
    file: bool
    begin: int
    value: tuple[int, int]

    @property
    def end(self) -> int:
        return (
            self.value[1] + 2
        )  # the line break belongs to the next boundary, which needs it only after a part


def is_form(content_type: bytes) -> bool:
    return content_type[:19].lower() == b"multipart/form-data"


def open_form(content_type: bytes, body: bytes) -> Envelope:
    """Raises `CallFailed(BAD_REQUEST)`."""
    fields: dict[str, str] = {}
    places: dict[str, tuple[int, int]] = {}
    ours: list[tuple[int, int]] = []
    file_bytes = 0
    for part in parts(boundary_of(content_type), body):
        begin, end = part.value
        if part.file:
            file_bytes += end - begin
        if part.name.startswith("turnout["):
            raise bad("In a form, send x-turnout-* headers or one field 'turnout' of JSON text.", "turnout")
        if part.name not in _SHORT and part.name not in _TEXT:
            continue
        if part.file or part.name in fields:
            raise bad(f"The field {part.name!r} must be given once, as text.", part.name)
        fields[part.name], places[part.name] = _text(part, body), part.value
        if part.name == "turnout":
            ours.append((part.begin, part.end))
    model = fields.pop("model", "")
    if not model:
        raise bad("The field 'model' is missing.", "model")
    form = Form(content_type, places["model"], tuple(ours), file_bytes)
    stream = fields.pop("stream", "") in _TRUE
    members = {name: json_text(value) for name, value in fields.items()}
    if "turnout" in fields:
        members["turnout"] = _json(fields["turnout"])
    return Envelope(model, stream, True, members, body, form)


def rewrite_form(envelope: Envelope, model: str) -> bytes:
    """The body with another model and without what is Turnout's own; all else keeps its bytes."""
    form = envelope.form
    assert form is not None
    body = envelope.body
    changes = [(begin, end, b"") for begin, end in form.ours]
    if model != envelope.model:
        changes.append((*form.model, model.encode()))
    if not changes:
        return body
    out, at = [], 0
    for begin, end, replacement in sorted(changes):
        out += [body[at:begin], replacement]
        at = end
    return b"".join((*out, body[at:]))


def boundary_of(content_type: bytes) -> bytes:
    """The boundary that a content type names. Raises `CallFailed(BAD_REQUEST)`."""
    found = _CONTENT_TYPE.match(content_type)
    if found is None or not content_type.isascii():
        raise bad("The content type is not multipart/form-data with a boundary.")
    text, at = found[1] or b"", 0
    boundary: bytes | None = None
    while at < len(text):
        piece = _PARAMETER.match(text, at)
        if piece is None:
            raise bad("The content type's parameters cannot be read.")
        at = piece.end()
        if piece[1].lower() == b"boundary":
            if boundary is not None:
                raise bad("The content type has two boundaries.")
            boundary = piece[2] if piece[2] is not None else piece[3]
    if boundary is None or not _BOUNDARY.fullmatch(boundary):
        raise bad("The content type has no boundary, or none that is allowed.")
    return boundary


def parts(boundary: bytes, body: bytes) -> Iterator[Part]:
    """The parts in order. Raises `CallFailed(BAD_REQUEST)`."""
    line = b"--" + boundary
    if not body.startswith(line + b"\r\n"):
        raise _malformed("it does not begin with its boundary")
    delimiter = b"\r\n" + line
    begin, at = 0, len(line) + 2
    for _ in range(PARTS_MAX):
        head_end = body.find(b"\r\n\r\n", at, at + PART_HEAD_BYTES_MAX)
        if head_end < 0:
            raise _malformed("a part has no end of its headers, or too many of them")
        end = body.find(delimiter, head_end + 2)
        if end < head_end + 4:
            raise _malformed("a part has no end" if end < 0 else "a part's headers have no end")
        name, file = _part_head(body[at:head_end])
        yield Part(name, file, begin, (head_end + 4, end))
        begin, at = end + 2, end + len(delimiter) + 2
        after = body[at - 2 : at]
        if after == b"--":
            if body[at:] not in (b"", b"\r\n"):
                raise _malformed("something follows its last boundary")
            return
        if after != b"\r\n":
            raise _malformed("its boundary occurs inside a part")
    raise _malformed(f"it has more than {PARTS_MAX} parts")


def _part_head(head: bytes) -> tuple[str, bool]:
    """Name of the field, and whether it is a file."""
    disposition: bytes | None = None
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or b"\n" in line or b"\r" in line or b"\0" in line:
            raise _malformed("a part's header cannot be read")
        name, value = name.lower(), value.strip(b" \t")
        if name == b"content-transfer-encoding" and value.lower() not in _IDENTITY:
            raise _malformed("a part has a transfer encoding")
        if name == b"content-disposition":
            if disposition is not None:
                raise _malformed("a part has two dispositions")
            disposition = value
    found = None if disposition is None else _DISPOSITION.match(disposition)
    if found is None:
        raise _malformed("a part has no disposition that can be read")
    given: dict[bytes, bytes] = {}
    for piece in _PIECE.finditer(found[1]):
        key, value = piece[1].lower(), piece[2] if piece[2] is not None else piece[3]
        if key in given or key == b"name*" or value.endswith(b"\\"):
            raise _malformed("a part's disposition can be read in two ways")
        given[key] = value
    name = given.get(b"name", b"")
    if not name or b"\\" in name or b"%" in name:
        raise _malformed("a part's name cannot be read")
    try:
        return name.decode(), b"filename" in given or b"filename*" in given
    except UnicodeDecodeError:
        raise _malformed("a part's name is not text") from None


def _text(part: Part, body: bytes) -> str:
    begin, end = part.value
    limit = SHORT_FIELD_BYTES_MAX if part.name in _SHORT else TEXT_FIELD_BYTES_MAX
    if end - begin > limit:
        raise bad(f"The field {part.name!r} is longer than {limit} bytes.", part.name)
    try:
        return body[begin:end].decode()
    except UnicodeDecodeError:
        raise bad(f"The field {part.name!r} is not UTF-8 text.", part.name) from None


def _json(text: str) -> msgspec.Raw:
    try:
        return msgspec.json.decode(text, type=msgspec.Raw).copy()
    except (msgspec.MsgspecError, RecursionError):
        raise bad("The field 'turnout' is not JSON.", "turnout") from None


def _malformed(reason: str) -> CallFailed:
    return bad(f"The form cannot be read: {reason}.")
