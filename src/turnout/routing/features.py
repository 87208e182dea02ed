"""What the router looks at in a request: a bounded reading, taken once.

Promise: however long the conversation, a fixed amount of text is inspected (`QUERY_CHARS_MAX`, `SYSTEM_CHARS_MAX`), so a
decision's cost has a ceiling. Instructions stand at the beginning or the end of a prompt, so when a text is longer the
middle is what goes. A short follow-up ("yes", "go on") says nothing by itself: it is read together with what the user
asked before, else the continuation of a hard conversation would go to the cheapest model.

Words are found by translating punctuation to spaces and splitting, not by a regular expression: a third of the time.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from turnout.core.card import Capability
from turnout.core.model import Audio, Document, Image, Message, Part, Request, Text, ToolCall, ToolResult
from turnout.routing import cues
from turnout.routing.tokens import estimate_text_tokens, estimate_tokens, part_tokens

QUERY_CHARS_MAX = 400  # the first 270 and the last 130: where instructions stand
TAIL_CHARS = 130
SYSTEM_CHARS_MAX = 400
FOLLOW_UP_CHARS_MAX = 40
FOLLOW_UP_TURNS_MAX = 3  # earlier user turns read with a short follow-up
LONG_CHARS = 600
SHORT_CHARS = 60

_APOSTROPHE = {ord("'"): None}  # "what's" becomes one word
_TO_SPACES: dict[int, str | None] = {
    **{ord(mark): " " for mark in f"{string.punctuation}\n\r\t{cues.WIDE_PUNCTUATION}"},
    **_APOSTROPHE,
}
_ASCII_TO_SPACES = bytes(32 if code in _TO_SPACES and chr(code) != "'" else code for code in range(256))
_DIGITS = string.digits.encode()
_CODE_MARKS = {
    "`": ("```",),
    "(": ("():", "();"),
    "#": ("#include", "c#"),
    "=": ("=> {",),
    "<": ("</",),
    "+": ("c++",),
}
_CHOICE_MARKS = {"\n": ("\na.", "\na)", "\na:"), "(": ("(a)",), ":": ("options:", "choices:", "answers:")}


class Features(Struct, frozen=True):
    """Sizes are tokens, `turns` counts messages that are not instructions, `query` and `system` are lower case and bounded.

    `words` are those of `query`; `marks` are structural cues (`#code`, `#question`, …) that the classifier weighs like words.
    """

    query: str
    words: tuple[str, ...]
    system: str
    query_tokens: int
    prompt_tokens: int
    turns: int
    marks: tuple[str, ...]
    needs: frozenset[Capability]


def words_of(text: str) -> list[str]:
    """Lower-case words of a text that is lower case already."""
    if text.isascii():  # three times as fast by a table of bytes
        return text.encode().translate(_ASCII_TO_SPACES, b"'").decode().split()
    return text.translate(_TO_SPACES).split()


def read(request: Request) -> Features:
    """Take the features of a request. Linear in the number of messages, bounded in the text looked at."""
    users, turns = [], 0
    for message in request.messages:
        if message.role == "user":
            users.append(message)
            turns += 1
        elif message.role == "assistant":
            turns += 1
    last = users[-1] if users else None
    text = text_of(last) if last else ""
    if len(text) <= FOLLOW_UP_CHARS_MAX and len(users) > 1:
        text = _with_earlier(users, text)
    query = clip(text, QUERY_CHARS_MAX).lower()
    needs = needs_of(request)
    query_tokens = max(estimate_text_tokens(text), _tokens(last))
    only = last.content[0] if last is not None and len(last.content) == 1 else None
    alone = isinstance(only, Text) and text is only.text  # then it need not be counted twice
    return Features(
        query=query,
        words=tuple(words_of(query)),
        system=_system(request.messages),
        query_tokens=query_tokens,
        prompt_tokens=estimate_tokens(request, last, query_tokens) if alone else estimate_tokens(request),
        turns=turns,
        marks=(*text_marks(query, len(text)), *_request_marks(request, last, needs)),
        needs=needs,
    )


def text_of(message: Message) -> str:
    """The text parts of a message; the common case of one part costs nothing."""
    content = message.content
    if len(content) == 1 and type(content[0]) is Text:
        return content[0].text
    return "\n".join(part.text for part in content if isinstance(part, Text))


def clip(text: str, chars_max: int) -> str:
    """The beginning and the end of a text, the beginning longer: instructions usually lead."""
    if len(text) <= chars_max:
        return text
    tail = min(TAIL_CHARS, chars_max // 2)
    return f"{text[: chars_max - tail]}\n{text[-tail:]}"


def _with_earlier(users: list[Message], text: str) -> str:
    earlier = [
        clip(text_of(message), QUERY_CHARS_MAX // FOLLOW_UP_TURNS_MAX)
        for message in users[-1 - FOLLOW_UP_TURNS_MAX : -1]
    ]
    return "\n".join([*earlier, text])


def _tokens(message: Message | None) -> int:
    return sum(part_tokens(part) for part in message.content) if message and len(message.content) > 1 else 0


def _system(messages: Iterable[Message]) -> str:
    for message in messages:
        if message.role not in ("system", "developer"):
            break
        return text_of(message)[:SYSTEM_CHARS_MAX].lower()
    return ""


def text_marks(query: str, chars: int) -> list[str]:
    """Structural cues of a lower-case query; `chars` is how long its text is, of which the query may be the ends."""
    marks = []
    size = len(query)
    if chars >= LONG_CHARS:
        marks.append("#long")
    elif size < SHORT_CHARS:
        marks.append("#short")
    stripped = query.rstrip()
    if stripped.endswith(cues.QUESTION_MARKS):
        marks.append("#question")
    elif "?" in query:
        marks.append("#asks")
    if _has_any(query, _CODE_MARKS):
        marks.append("#code")
    if _has_any(query, _CHOICE_MARKS):
        marks.append("#choices")
    marks += _number_marks(query, size)
    if query.count("\n") >= 2 or '"' in query:
        marks.append("#blocks")
    return marks


def _has_any(query: str, marks: Mapping[str, tuple[str, ...]]) -> bool:
    """Each key is a character of its marks: looking for one character is ten times faster than for several."""
    for character, found in marks.items():
        if character in query:
            for mark in found:
                if mark in query:
                    return True
    return False


def _number_marks(query: str, size: int) -> Sequence[str]:
    raw = query.encode("utf-8", "surrogatepass")
    digits = len(raw) - len(raw.translate(None, _DIGITS))
    if not digits:
        return ()
    marks = ["#digits"] if digits * 100 >= size else []
    if digits >= 3 and digits * 25 >= size:
        marks.append("#many_digits")
    for mark in cues.OPERATORS:
        if mark in query:
            marks.append("#formula")
            break
    return marks


def _request_marks(request: Request, last: Message | None, needs: frozenset[Capability]) -> list[str]:
    marks = []
    if request.tools:
        marks.append("#tools")
    if last and any(isinstance(part, ToolResult) for part in last.content):
        marks.append("#tool_result")
    if request.response_format and request.response_format.kind != "text":
        marks.append("#json_output")
    if "documents" in needs:
        marks.append("#document")
    if "vision" in needs:
        marks.append("#image")
    return marks


def needs_of(request: Request) -> frozenset[Capability]:
    """Capabilities without which a model cannot serve the request."""
    needs: set[Capability] = set()
    if request.tools:
        needs.add("tools")
    if request.response_format and request.response_format.kind == "json_schema":
        needs.add("json_schema")
    elif request.response_format and request.response_format.kind == "json_object":
        needs.add("json_mode")
    for message in request.messages:
        for part in message.content:
            if type(part) is not Text:
                _add_need(part, needs)
    return frozenset(needs)


def _add_need(part: Part, needs: set[Capability]) -> None:
    match part:
        case Image():
            needs.add("vision")
        case Document():
            needs.add("documents")
        case Audio():
            needs.add("audio")
        case ToolCall():
            needs.add("tools")
        case ToolResult():
            for inner in part.content:
                _add_need(inner, needs)
        case _:
            pass
