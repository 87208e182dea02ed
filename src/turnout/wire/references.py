"""What a request refers to by a name instead of saying it: files, conversations, items, caches, stores that a provider keeps.

Promise: whatever a provider would look up under the gateway's own credential is found, in the body of any client dialect, however the JSON is
spelt (escaped names, members given twice). What only looks like a reference is not taken for one: arguments of calls, schemas, metadata
and what an earlier answer quoted are never looked up. A body without any of the words costs a few searches; only one that has them is read.

It must not know whether a reference is allowed, or to whom an object belongs. `previous_response_id` is not looked at here: `history` reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from turnout.core.model import DialectName
from turnout.wire.body import bad


class Reference(Struct, frozen=True):
    """`param` is where it stands, `what` the kind of object, in the plural."""

    param: str
    what: str


_NO_TYPE = re.compile(rb'"type"\s*:\s*null')
_ESCAPED_LETTER = re.compile(rb"\\u00[2-7]")
_FILES_API = re.compile(
    r"https?://(?:[^/]+/(?:upload/)?v\d\w*/files/[^/]+\Z|[^/]*\bgenerativelanguage\.googleapis\.com\b)",
    re.IGNORECASE,
)
"""Of Google's own API nothing is public, however the path is spelt; behind another address it is known by its path."""
_WORDS: dict[
    DialectName, re.Pattern[bytes]
] = {  # one quote before all: it is what is searched for (measured: 0.5 µs for a KB)
    "openai_chat": re.compile(rb'"(?:file_id|audio"|voice"|cached_?[cC]ontent)'),
    "openai_responses": re.compile(
        rb'"(?:file_id|item_reference"|image_generation_call"|vector_store|conversation"|container|prompt"|skill_id")'
    ),
    "anthropic": re.compile(rb'"(?:file_id|container|skill_id")'),
    "gemini": re.compile(
        rb'"(?:file_?[uU]ri|cached_?[cC]ontent|file_?[sS]earch|vertex_?[rR]ag|vertex_?[aA][iI]_?[sS]earch)'
    ),
}
_UNREAD: dict[DialectName, frozenset[str]] = {
    "openai_chat": frozenset({"parameters", "schema", "metadata", "annotations", "turnout"}),
    "openai_responses": frozenset({"parameters", "schema", "metadata", "annotations", "results", "turnout"}),
    "anthropic": frozenset({"input_schema", "schema", "metadata", "citations", "turnout"}),
    "gemini": frozenset(
        {
            "args", "parameters", "response", "labels", "responseSchema", "response_schema", "parametersJsonSchema",
            "parameters_json_schema", "responseJsonSchema", "response_json_schema", "_responseJsonSchema", "turnout",
        }
    ),
}  # fmt: skip
"""Members that hold a caller's own data, or what an answer quoted."""
_NAMED = {
    "file_id": "files",
    "file_ids": "files",
    "vector_store_id": "vector stores",
    "vector_store_ids": "vector stores",
    "cachedContent": "cached contents",
    "cached_content": "cached contents",
    "fileSearchStoreNames": "file search stores",
    "file_search_store_names": "file search stores",
    "vertexRagStore": "retrieval stores",
    "vertex_rag_store": "retrieval stores",
    "vertexAiSearch": "retrieval stores",
    "vertex_ai_search": "retrieval stores",
}
_URIS = frozenset({"fileUri", "file_uri", "url", "image_url", "file_url"})
_TOP: dict[str, str] = {"conversation": "conversations", "prompt": "prompts"}


class _Members(list[tuple[str, Any]]):
    """An object's members, repeated ones included."""

    def all(self, name: str) -> list[Any]:
        """Which one a provider reads is not known."""
        return [value for key, value in self if key == name]


class _Item(Struct):
    type: str | None = None
    role: str | None = None
    id: str | None = None


class _Input(Struct):
    input: str | list[_Item] | None = None


_input = msgspec.json.Decoder(_Input)


def find_reference(dialect: DialectName, body: bytes) -> Reference | None:
    """The first reference in a JSON body that has been opened already. Raises `CallFailed(BAD_REQUEST)` for one that cannot be read."""
    if not _may_refer(dialect, body):
        return None
    try:
        members = json.loads(body, object_pairs_hook=_Members, parse_int=_number, parse_float=_number)
    except (ValueError, RecursionError):
        raise bad("The JSON body cannot be read.") from None
    return next(_Walk(dialect).members(members, ""), None)


def _number(_: str) -> float:
    return 0.0


def _may_refer(dialect: DialectName, body: bytes) -> bool:
    words = _WORDS.get(dialect)
    if words is None:
        return False
    if words.search(body) is not None:
        return True
    if b"\\" in body and _ESCAPED_LETTER.search(body) is not None:
        return True
    if b"/" in body:  # plain searches: a pattern of these words takes 20 µs for a KB, this one
        lower = body.lower()
        if b"gs:" in lower or b"s3:" in lower or b"files" in lower or b"generativelanguage" in lower:
            return True
    return dialect == "openai_responses" and (_NO_TYPE.search(body) is not None or _has_bare_item(body))


def _has_bare_item(body: bytes) -> bool:
    """An item that is an id and nothing else is a reference, too: the type may be left out."""
    try:
        items = _input.decode(body).input
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return True  # a closer look will tell
    return isinstance(items, list) and any(item.type is None and item.role is None for item in items)


class _Walk:
    def __init__(self, dialect: DialectName) -> None:
        self._unread = _UNREAD[dialect]
        self._dialect = dialect

    def any(self, value: Any, path: str) -> Iterator[Reference]:
        if isinstance(value, _Members):
            yield from self.members(value, path)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                yield from self.any(item, f"{path}[{number}]")

    def members(self, members: _Members, path: str) -> Iterator[Reference]:
        kinds = members.all("type")
        if self._dialect == "openai_responses" and (what := _item_of(members, kinds, path)):
            yield Reference(path, what)
        if self._dialect == "anthropic" and _all_end(kinds, "_tool_result"):
            return  # what a tool of the provider's gave: quoted, never looked up
        for key, value in members:
            where = f"{path}.{key}" if path else key
            if key in self._unread or (key == "input" and path and self._dialect == "anthropic"):
                continue
            what = self._named(key, value, members, kinds, path)
            if what is not None:
                yield Reference(where, what)
            yield from self.any(value, where)

    def _named(self, key: str, value: Any, members: _Members, kinds: list[Any], path: str) -> str | None:
        if not value:
            return None
        if key in _NAMED:
            return _NAMED[key] if _names(value, anything=key.startswith("vertex")) else None
        if key in _URIS:
            return "files" if isinstance(value, str) and _is_kept(value) else None
        match key:
            case "conversation" | "prompt" if not path and self._dialect == "openai_responses":
                named = isinstance(value, str) if key == "conversation" else False
                return _TOP[key] if named or _has(value, "id") else None
            case "container":
                return "containers" if isinstance(value, str) or _has(value, "id") else None
            case "container_id" if isinstance(value, str):
                return None if _all_end(kinds, "_call") else "containers"
            case "skill_id" if isinstance(value, str):
                shipped = (kinds and all(kind == "anthropic" for kind in kinds)) or value.startswith(
                    "openai-"
                )
                return None if shipped else "skills"
            case "audio" if "assistant" in members.all("role"):
                return "sounds" if _has(value, "id") else None
            case "voice":
                return "voices" if _has(value, "id") else None
        return None


def _item_of(members: _Members, kinds: list[Any], path: str) -> str | None:
    """An input item that stands for one that the provider keeps."""
    if not re.fullmatch(r"input\[\d+\]", path) or not _has(members, "id"):
        return None
    untold = not kinds or None in kinds
    if "item_reference" in kinds or (untold and any(role is None for role in members.all("role") or (None,))):
        return "items"
    results = members.all("result")
    if "image_generation_call" in kinds and not (results and all(isinstance(one, str) for one in results)):
        return "items"
    return None


def _all_end(kinds: list[Any], end: str) -> bool:
    return bool(kinds) and all(isinstance(kind, str) and kind.endswith(end) for kind in kinds)


def _has(value: Any, name: str) -> bool:
    return isinstance(value, _Members) and any(key == name and isinstance(held, str) for key, held in value)


def _names(value: Any, *, anything: bool) -> bool:
    """Text, or a list with text in it; an object under such a name is somebody's schema."""
    if isinstance(value, _Members):
        return anything
    return isinstance(value, str) or (isinstance(value, list) and any(isinstance(one, str) for one in value))


def _is_kept(uri: str) -> bool:
    """Is this in a store that is read under a credential? Any other URL is public, or data."""
    text = uri.strip().lower()
    if text.startswith(("gs://", "s3://", "files/")):
        return True
    return _FILES_API.match(text.partition("?")[0]) is not None
