"""Tools that take free text, offered as functions to providers that know none, and given back as what their caller offered.

Promise: the function takes one text, `input`; its description says what form the text must have. The text comes back as it arrives,
however the provider cuts the JSON: a fragment is passed on as soon as its characters are known. A model that makes something else of
the arguments loses nothing: the only text in them is taken, else all of them as they are. Pure.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from turnout.core.model import Tool

_BEGIN = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SCHEMA = Raw(
    b'{"type":"object","properties":{"input":{"type":"string","description":"The text, whole and as it is."}},'
    b'"required":["input"],"additionalProperties":false}'
)
_object = msgspec.json.Decoder(dict[str, object])


class _Form(Struct):
    type: str | None = None
    grammar: Raw = Raw()
    syntax: str | None = None
    definition: str | None = None


class _Custom(Struct):
    name: str
    description: str | None = None
    format: _Form | None = None


class _Wire(Struct):
    custom: _Custom


_wire = msgspec.json.Decoder(_Wire)
_grammar = msgspec.json.Decoder(_Form)


def function_of(raw: Raw) -> Tool | None:
    """The function that stands for a free-text tool (in the form of chat completions); `None` where it cannot be read."""
    try:
        custom = _wire.decode(raw).custom
        form = custom.format
        if form is not None and form.grammar:
            form = _grammar.decode(form.grammar)
    except (msgspec.MsgspecError, RecursionError):
        return None
    words = [custom.description] if custom.description else []
    words.append("Give the text as `input`, raw: no JSON and no code fence inside it.")
    if form is not None and form.definition:
        kind = f" ({form.syntax})" if form.syntax else ""
        words.append(f"It must follow this grammar{kind}:\n{form.definition}")
    return Tool(custom.name, "\n\n".join(words), _SCHEMA)


def arguments_of(text: str) -> str:
    """The arguments of the function for a text."""
    return msgspec.json.encode({"input": text}).decode()


class TextReader:
    """Reads the text out of the function's arguments as they arrive."""

    __slots__ = ("_done", "_held", "_seen", "_within")

    def __init__(self) -> None:
        self._seen = ""  # all that came while it is not known where the text begins
        self._held = ""  # the beginning of an escape
        self._within = self._done = False

    def feed(self, fragment: str) -> str:
        """What is known of the text by now and was not given before."""
        if self._done:
            return ""
        if not self._within:
            self._seen += fragment
            begin = _BEGIN.match(self._seen)
            if begin is None:
                return ""
            self._within = True
            fragment, self._seen = self._seen[begin.end() :], ""
        return self._read(self._held + fragment)

    def end(self) -> str:
        """What is left when no more comes: for arguments that were of another form."""
        if self._within or self._done:
            return ""
        self._done = True
        try:
            members = _object.decode(self._seen)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return self._seen
        texts = [value for value in members.values() if isinstance(value, str)]
        given = members.get("input")
        if isinstance(given, str):
            return given
        return texts[0] if len(texts) == 1 else self._seen

    def _read(self, data: str) -> str:
        out: list[str] = []
        at = 0
        self._held = ""
        while at < len(data):
            character = data[at]
            if character == '"':
                self._done = True
                break
            if character != "\\":
                end = _next_special(data, at)
                out.append(data[at:end])
                at = end
                continue
            size, meant = _escape(data, at)
            if not size:
                self._held = data[at:]
                break
            out.append(meant)
            at += size
        return "".join(out)


def _next_special(data: str, at: int) -> int:
    ends = [found for found in (data.find('"', at), data.find("\\", at)) if found >= 0]
    return min(ends, default=len(data))


def _escape(data: str, at: int) -> tuple[int, str]:
    """Length and meaning of an escape; length 0 while it is not whole."""
    if at + 1 >= len(data):
        return 0, ""
    kind = data[at + 1]
    if kind != "u":
        return 2, _ESCAPES.get(kind, kind)
    if at + 6 > len(data):
        return 0, ""
    first = _unit(data[at + 2 : at + 6])
    if not 0xD800 <= first < 0xDC00:
        return 6, chr(first) if not 0xDC00 <= first < 0xE000 else "\ufffd"
    if at + 12 > len(data):
        following = data[at + 6 :]
        return (0, "") if "\\u".startswith(following[:2]) else (6, "\ufffd")
    if data[at + 6 : at + 8] != "\\u":
        return 6, "\ufffd"
    second = _unit(data[at + 8 : at + 12])
    if not 0xDC00 <= second < 0xE000:
        return 6, "\ufffd"
    return 12, chr(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))


def _unit(digits: str) -> int:
    try:
        return int(digits, 16)
    except ValueError:
        return 0xFFFD
