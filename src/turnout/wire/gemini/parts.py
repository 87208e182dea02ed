"""Parts of a request's contents as canonical parts.

Parts with no canonical meaning (video, code and its result, server-side tools) become `Opaque` with their exact JSON. Members that only
Gemini understands on a part that is otherwise canonical (video metadata, a resolution, a file's display name) follow it as an
`Opaque` of kind `details`, so that the part still reaches other dialects.
"""

from __future__ import annotations

import mimetypes

import msgspec
from msgspec import Raw, Struct

from turnout.core.model import (
    Audio,
    Document,
    FileId,
    Image,
    Inline,
    Opaque,
    Part,
    Reasoning,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from turnout.wire.anthropic.marks import arguments_text, is_object
from turnout.wire.body import bad, join_members
from turnout.wire.gemini.marks import DIALECT, EMPTY_MARK, TEXT_MARK, standard_base64, unseal
from turnout.wire.gemini.spelling import given, opened, read, read_message

DETAILS_KIND = "details"
FILES = "generativelanguage.googleapis.com/"
_KNOWN = frozenset(
    {"text", "thought", "thoughtSignature", "functionCall", "functionResponse", "inlineData", "fileData"}
)
_str = msgspec.json.Decoder(str | None)
_bool = msgspec.json.Decoder(bool | None)
_raws = msgspec.json.Decoder(list[Raw])
_members = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


class _Blob(Struct, rename="camel"):
    mime_type: str = "application/octet-stream"
    data: str = ""
    display_name: str | None = None


class _File(Struct, rename="camel"):
    file_uri: str
    mime_type: str | None = None
    display_name: str | None = None


class _Call(Struct):
    name: str
    id: str | None = None
    args: Raw = Raw()


class _Response(Struct, rename="camel"):
    name: str = ""
    id: str | None = None
    response: Raw = Raw()
    parts: list[Raw] | None = None


class _Said(Struct):
    output: str | msgspec.UnsetType = msgspec.UNSET
    error: str | msgspec.UnsetType = msgspec.UNSET


_blob = msgspec.json.Decoder(_Blob)
_file = msgspec.json.Decoder(_File)
_call = msgspec.json.Decoder(_Call)
_response = msgspec.json.Decoder(_Response)
_said = msgspec.json.Decoder(_Said)


class Calls:
    """Function calls that have not been answered, and the ids of those that came without one.

    A response without an id answers the oldest call of its name.
    """

    __slots__ = ("_open", "_turn")

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []  # (id, name)
        self._turn = 0

    def called(self, call_id: str | None, name: str) -> str:
        if not call_id:
            call_id = f"gcall_h{self._turn}"
        self._turn += 1
        self._open.append((call_id, name))
        return call_id

    def answered(self, call_id: str | None, name: str) -> str:
        found = next(
            (call for call in self._open if (call[0] == call_id if call_id else call[1] == name)), None
        )
        if found is not None:
            self._open.remove(found)
            return found[0]
        self._turn += 1
        return call_id or f"gcall_h{self._turn - 1}"


def decode_parts(raws: list[Raw], calls: Calls, where: str) -> tuple[Part, ...]:
    """`where` names the parts in errors (`contents.0.parts`)."""
    parts: list[Part] = []
    for number, raw in enumerate(raws):
        parts += _decode(raw, calls, f"{where}.{number}")
    return tuple(parts)


def _decode(raw: Raw, calls: Calls, where: str) -> list[Part]:
    members = opened(raw, where)
    members = {name: value for name, value in members.items() if bytes(value) != b"null"}
    signature = read(_str, members["thoughtSignature"], where) if "thoughtSignature" in members else None
    if "text" in members:
        text = read(_str, members["text"], f"{where}.text") or ""
        thought = "thought" in members and bool(read(_bool, members["thought"], f"{where}.thought"))
        parts = _thought(text, signature) if thought else _text(text, signature)
    elif "functionCall" in members:
        parts = [_function_call(members["functionCall"], signature, calls, f"{where}.functionCall")]
    elif "functionResponse" in members:
        parts = [_function_response(members["functionResponse"], calls, f"{where}.functionResponse")]
    elif "inlineData" in members:
        parts = _inline(raw, members["inlineData"], f"{where}.inlineData")
    elif "fileData" in members:
        parts = _by_address(raw, members["fileData"], f"{where}.fileData")
    elif "thoughtSignature" in members and members.keys() <= {"thought", "thoughtSignature"}:
        parts = _thought("", signature) if "thought" in members else _text("", signature)
    else:
        return [Opaque(DIALECT, next(iter(members.keys() - {"thought", "thoughtSignature"}), ""), raw.copy())]
    rest = {name: value for name, value in members.items() if name not in _KNOWN}
    if rest and not isinstance(parts[-1], Opaque):
        parts.append(Opaque(DIALECT, DETAILS_KIND, Raw(join_members(rest))))
    return parts


def _text(text: str, signature: str | None) -> list[Part]:
    proof, origin, _ = unseal(signature)
    if proof is None:
        return [Text(text)]
    mark = TEXT_MARK if text else EMPTY_MARK
    sealed = Reasoning("", mark + proof if origin == DIALECT else proof, None, origin)
    return [Text(text), sealed] if text else [sealed]


def _thought(text: str, signature: str | None) -> list[Part]:
    proof, origin, redacted = unseal(signature)
    if redacted:
        return [*([Reasoning(text, None, None, origin)] if text else ()), Reasoning("", None, proof, origin)]
    return [Reasoning(text, proof, None, origin or DIALECT)]


def _function_call(raw: Raw, signature: str | None, calls: Calls, where: str) -> Part:
    call = read_message(_call, raw, where)
    proof, origin, _ = unseal(signature)
    arguments = arguments_text(call.args) or "{}"
    return ToolCall(calls.called(call.id, call.name), call.name, arguments, None, proof, False, origin)


def _function_response(raw: Raw, calls: Calls, where: str) -> Part:
    found = read_message(_response, raw, where)
    text, failed = response_text(found.response)
    content: list[Part] = [Text(text)]
    for number, part in enumerate(found.parts or ()):
        content += _decode(part, calls, f"{where}.parts.{number}")
    name = found.name or None
    return ToolResult(calls.answered(found.id, found.name), tuple(content), failed, None, name)


def response_text(raw: Raw) -> tuple[str, bool | None]:
    """A function's response as text. `{"output": text}` and `{"error": text}` are Google's words for text that is no object."""
    if not given(raw):
        return "", None
    try:
        names = _members.decode(raw).keys()
        said = _said.decode(raw) if len(names) == 1 else _Said()
    except (msgspec.MsgspecError, RecursionError):
        return bytes(raw).decode(), None
    if isinstance(said.error, str):
        return said.error, True
    if isinstance(said.output, str) and not is_object(said.output):
        return said.output, None
    return bytes(raw).decode(), None


def _inline(raw: Raw, blob_raw: Raw, where: str) -> list[Part]:
    blob = read_message(_blob, blob_raw, where)
    source = Inline(blob.mime_type, standard_base64(blob.data))
    return [_media(blob.mime_type, source, blob.display_name) or Opaque(DIALECT, "inlineData", raw.copy())]


def _by_address(raw: Raw, file_raw: Raw, where: str) -> list[Part]:
    file = read_message(_file, file_raw, where)
    uri = file.file_uri
    if not uri:
        raise bad(f"{where}.fileUri: is required", f"{where}.fileUri")
    guess = guessed_type(uri)
    source: Source = FileId(uri) if FILES in uri or "://" not in uri else Url(uri)
    part = _media(file.mime_type or guess or "", source, file.display_name)
    if part is None:
        return [Opaque(DIALECT, "fileData", raw.copy())]
    if file.mime_type is None or file.mime_type == guess:
        return [part]
    detail = {"fileData": {"mimeType": file.mime_type}}
    return [part, Opaque(DIALECT, DETAILS_KIND, Raw(_encode(detail)))]


def guessed_type(uri: str) -> str | None:
    """Media type by the name's extension."""
    return mimetypes.guess_type(uri.partition("?")[0])[0]


def _media(kind: str, source: Source, name: str | None) -> Part | None:
    """`None` for what other dialects have no part for: video, and what says nothing of its type."""
    if kind.startswith("image/"):
        return Image(source)
    if kind.startswith("audio/"):
        return Audio(source, _audio_format(kind))
    if kind.startswith("video/") or not kind:
        return None
    return Document(source, name)


def _audio_format(kind: str) -> str:
    word = kind.removeprefix("audio/").partition(";")[0].lower()
    return {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}.get(word, word)
