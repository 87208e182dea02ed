"""Fitting a request to its target: laws of a conversation that every provider has, and limits that each has of its own.

Promise: a canonical request that another dialect's caller made, whatever it holds, becomes one that the target takes:

- the results of tool calls follow their calls at once, in the calls' order; a call that nobody answered is closed, a result
  whose call is not there becomes text;
- where the target takes one leading system message it gets one: later ones become the user's text where they stood;
- nothing is said by a message without content, and no blank text stands where it is refused;
- tools of free text and groups of tools are offered as functions to those who know none, and called by their caller's form again;
- names of tools, ids and labels have the target's length and letters: one that fits stays as it is, another gets a stable short form, and
  no two become the same. `Fitted.calls` gives the caller's names back in the reply;
- arguments that are no JSON object are wrapped in one; a document in the place of an image is a document;
- there are no more prompt-cache marks than the target takes.

A request that has nothing to be fitted is returned as it is, after one look. What had to be changed so that something is lost is
named. Pure; it must not know how a dialect is written.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from turnout.core.model import (
    Audio,
    DialectName,
    Document,
    Image,
    Inline,
    Message,
    OpaqueTool,
    Part,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Url,
)
from turnout.wire.anthropic.marks import input_object, is_object
from turnout.wire.cache_marks import marked
from turnout.wire.codec import Target
from turnout.wire.tool_forms import Called, as_functions

NO_RESULT = "No result of this call was recorded."
DIGEST = 8


class Form(Struct, frozen=True):
    """What a dialect's providers take. Lengths in characters; `None`: not known, so not touched.

    `name` is what a tool may be called, beyond its length. `one_system`: one system message, and that first. `blank`: may a text be
    nothing but white space? `marks` is the number of prompt-cache marks.
    """

    name_max: int | None = 64
    name: str = r"[a-zA-Z0-9_-]+"
    call_id_max: int | None = None
    user_max: int | None = None
    cache_key_max: int | None = None
    one_system: bool = False
    blank: bool = True
    marks: int | None = None


# Sources: the providers' specifications (patterns and maxLength of `name`, `tool_call_id`, `user`, `user_id`), and for what these leave out their
# error messages as callers have reported them.
FORMS: Mapping[DialectName, Form] = MappingProxyType(
    {
        "openai_chat": Form(call_id_max=40, user_max=64, cache_key_max=64),
        "openai_responses": Form(call_id_max=64, user_max=64, cache_key_max=64),
        "anthropic": Form(user_max=256, blank=False, marks=4),
        "bedrock": Form(user_max=256, blank=False, marks=4),
        "bedrock_anthropic": Form(user_max=256, blank=False, marks=4),
        "gemini": Form(name=r"[a-zA-Z_][a-zA-Z0-9_.-]*", blank=False),
        "mistral": Form(one_system=True),
        "cohere": Form(name=r"[a-zA-Z_][a-zA-Z0-9_-]*"),
        "ollama": Form(one_system=True),
    }
)
_ANY = Form(name_max=None)
_SYSTEM_ANYWHERE = "developer_role"  # the quirk of those who made the format, and take it as it is specified


class Fitted(Struct, frozen=True):
    """`calls` maps what a tool is called at the provider to what it is to its caller, where these differ."""

    request: Request
    dropped: tuple[str, ...] = ()
    calls: Mapping[str, Called] = MappingProxyType({})


def form_of(dialect: DialectName, target: Target) -> Form:
    form = FORMS.get(dialect, _ANY)
    if dialect == "openai_chat" and _SYSTEM_ANYWHERE not in target.quirks:
        return _chat_with_one_system()
    return form


@lru_cache(maxsize=1)
def _chat_with_one_system() -> Form:
    return replace(FORMS["openai_chat"], one_system=True)


def fit(request: Request, dialect: DialectName, target: Target) -> Fitted:
    """See the module. Never fails."""
    if _is_plain(request):
        return Fitted(request)
    form = form_of(dialect, target)
    lost: dict[str, None] = {}
    given: dict[str, Called] = {}
    if dialect != "openai_responses":
        request = as_functions(request, given, takes_text=_SYSTEM_ANYWHERE in target.quirks)
    names = _aliases(request, form)
    messages: Sequence[Message] = _said(_media(request.messages), form)
    messages = _answered(messages, lost)
    if form.one_system:
        messages = _one_system(messages, lost)
    messages = [_named(message, names, form, lost) for message in messages]
    tools = tuple([_tool(tool, names) for tool in request.tools])
    fitted = replace(request, messages=tuple(messages), tools=tools)
    fitted = _labels(fitted, names, form)
    if form.marks is not None:
        fitted = marked(fitted, form.marks, lost)
    back = {
        alias: given.get(name) or Called(name)
        for name, alias in names.items()
        if alias != name or name in given
    }
    return Fitted(fitted, tuple(lost), back)


def _is_plain(request: Request) -> bool:
    """Texts of user and assistant after at most one system message, and nothing that has a limit: most requests."""
    params = request.params
    if request.tools or request.response_format or params.user or params.prompt_cache_key or params.cache:
        return False
    for index, message in enumerate(request.messages):
        if len(message.content) != 1 or (index and message.role in ("system", "developer")):
            return False
        part = message.content[0]
        if type(part) is not Text or part.cache is not None or not part.text or part.text.isspace():
            return False
    return True


# -- media
def _media(messages: Sequence[Message]) -> list[Message]:
    """What a data URL says of itself counts, and not the part in which it came."""
    out = []
    for message in messages:
        if any(isinstance(part, Image | ToolResult) for part in message.content):
            message = replace(message, content=tuple([_medium(part) for part in message.content]))
        out.append(message)
    return out


_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.-]+)*;base64,", re.IGNORECASE)


def _medium(part: Part) -> Part:
    if isinstance(part, ToolResult):
        return replace(part, content=tuple([_medium(inner) for inner in part.content]))
    if not isinstance(part, Image):
        return part
    source = part.source
    if isinstance(source, Url) and (match := _DATA_URL.match(source.url)):
        source = Inline(match[1].lower(), source.url[match.end() :])
    if not isinstance(source, Inline) or source.media_type.startswith("image/"):
        return part if source is part.source else replace(part, source=source)
    if source.media_type.startswith("audio/"):
        return Audio(source, source.media_type.partition("/")[2].removeprefix("x-"))
    if source.media_type == "application/octet-stream":
        return part
    return Document(source, cache=part.cache)


# -- calls and results
def _answered(messages: Sequence[Message], lost: dict[str, None]) -> list[Message]:
    """Every call's result right after it. Results are taken out of where they stand and put where they belong."""
    if not any(_has_tools(message) for message in messages):
        return list(messages)
    paired, results = _paired(messages, lost)
    out: list[Message] = []
    for message in _joined(paired):
        content = tuple([part for part in message.content if not isinstance(part, ToolResult)])
        if content or not message.content:
            out.append(replace(message, content=content))
        calls = [part for part in content if isinstance(part, ToolCall)]
        if calls and message.role == "assistant":
            out.append(Message("user", tuple([_result(call, results, lost) for call in calls])))
    return _together(out)


def _has_tools(message: Message) -> bool:
    return any(isinstance(part, ToolCall | ToolResult) for part in message.content)


def _paired(
    messages: Sequence[Message], lost: dict[str, None]
) -> tuple[list[Message], dict[str, ToolResult]]:
    """Every call with an id of its own, and the results by it. Some callers count their calls anew in every turn (`call_0`).

    A result is of the latest turn that has its id; within the turn, in the calls' order. The first answer counts, and a result
    that answers nothing is text.
    """
    taken = {part.id for m in messages for part in m.content if isinstance(part, ToolCall)}
    seen: dict[str, int] = {}
    waiting: dict[
        str, tuple[int, list[str]]
    ] = {}  # by the caller's id: the turn, and the calls that have no answer
    results: dict[str, ToolResult] = {}
    out: list[Message] = []
    turn = 0
    for before, message in zip((None, *messages), messages, strict=False):
        turn += before is not None and before.role != message.role
        content: list[Part] = []
        for part in message.content if _has_tools(message) else ():
            if isinstance(part, ToolCall):
                own = _own_id(part.id, seen, taken)
                made, open_ids = waiting.get(part.id, (turn, []))
                waiting[part.id] = turn, [*open_ids, own] if made == turn else [own]
                content.append(part if own == part.id else replace(part, id=own))
            elif isinstance(part, ToolResult):
                _, open_ids = waiting.get(part.call_id, (turn, []))
                if open_ids:
                    own = open_ids.pop(0)
                    part = part if own == part.call_id else replace(part, call_id=own)
                    results[own] = part
                    content.append(part)
                else:
                    content += _orphan(part, lost)
            else:
                content.append(part)
        out.append(replace(message, content=tuple(content)) if content else message)
    return out, results


def _own_id(call_id: str, seen: dict[str, int], taken: set[str]) -> str:
    count = seen[call_id] = seen.get(call_id, 0) + 1
    if count == 1:
        return call_id
    while (own := f"{call_id}-{count}") in taken:
        count += 1
    seen[call_id] = count
    taken.add(own)
    return own


def _orphan(result: ToolResult, lost: dict[str, None]) -> list[Part]:
    """A result that answers nothing is text: what it says and shows is kept, and no provider takes it as a result."""
    lost["tool_results.orphaned"] = None
    texts = [inner.text for inner in result.content if isinstance(inner, Text)]
    others = [inner for inner in result.content if not isinstance(inner, Text)]
    return [Text(f"Result of the tool call {result.call_id}: {' '.join(texts)}", result.cache), *others]


def _result(call: ToolCall, results: Mapping[str, ToolResult], lost: dict[str, None]) -> ToolResult:
    found = results.get(call.id)
    if found is not None:
        return found
    lost["tool_calls.unanswered"] = None
    return ToolResult(call.id, (Text(NO_RESULT),), is_error=True, name=call.name)


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Assistant turns in a row are one where calls are involved: parallel calls are answered in a single turn."""
    out: list[Message] = []
    for role, run in groupby(messages, key=_role):
        turns = list(run)
        if role == "assistant" and len(turns) > 1 and any(_has_tools(turn) for turn in turns):
            turns = [replace(turns[0], content=tuple([part for turn in turns for part in turn.content]))]
        out += turns
    return out


def _role(message: Message) -> str:
    return message.role


def _together(messages: Sequence[Message]) -> list[Message]:
    """What the user says right after results is of the same turn."""
    out: list[Message] = []
    for message in messages:
        last = out[-1] if out else None
        if last is not None and last.role == message.role == "user" and _has_tools(last):
            out[-1] = replace(last, content=last.content + message.content, name=last.name or message.name)
        else:
            out.append(message)
    return out


# -- the system's words
def _one_system(messages: Sequence[Message], lost: dict[str, None]) -> list[Message]:
    """Leading ones are joined; later ones are the user's text in place, within the user's turn beside which they stand."""
    first = next((n for n, m in enumerate(messages) if m.role not in ("system", "developer")), len(messages))
    leading, rest = messages[:first], messages[first:]
    out: list[Message] = []
    if len(leading) == 1:
        out.append(replace(leading[0], role="system"))
    elif leading:
        out.append(Message("system", _paragraphs([message.content for message in leading])))
    beside = False  # the last one is a user's turn that a system message has joined, or began
    for message in rest:
        moved = message.role in ("system", "developer")
        if moved:
            lost["messages.system_position"] = None
            message = Message("user", message.content)
        if message.role == "user" and out and out[-1].role == "user" and (moved or beside):
            joined = _paragraphs([out[-1].content, message.content])
            out[-1] = Message("user", joined, out[-1].name or message.name)
            beside = True
        else:
            out.append(message)
            beside = moved
    return out


def _paragraphs(contents: Iterable[tuple[Part, ...]]) -> tuple[Part, ...]:
    """One after another; texts that meet are two paragraphs of one."""
    out: list[Part] = []
    for part in [part for content in contents for part in content]:
        last = out[-1] if out else None
        if isinstance(last, Text) and isinstance(part, Text) and last.cache is None:
            out[-1] = Text(f"{last.text}\n\n{part.text}", part.cache)
        else:
            out.append(part)
    return tuple(out)


# -- nothing
def _said(messages: Sequence[Message], form: Form) -> list[Message]:
    """Without blank texts beside others and without messages that say nothing; the last word of the user stays."""
    out = []
    last = len(messages) - 1
    for number, message in enumerate(messages):
        content = tuple([part for part in message.content if not _is_blank(part)])
        if content:
            out.append(message if len(content) == len(message.content) else replace(message, content=content))
        elif message.role == "user" and (number == last or len(messages) == 1):
            words = message.content if form.blank and message.content else (Text("(empty)"),)
            out.append(replace(message, content=words))
    return out


def _is_blank(part: Part) -> bool:
    if isinstance(part, Text):
        return not part.text or part.text.isspace()
    return isinstance(part, Reasoning) and not (part.text or part.signature or part.redacted)


# -- names, ids, arguments
def _aliases(request: Request, form: Form) -> dict[str, str]:
    """Every tool's name → what it is called there. Names in the history count: they may be of tools no longer offered."""
    names = [tool.name for tool in request.tools if isinstance(tool, Tool)]
    names += [part.name for m in request.messages for part in m.content if isinstance(part, ToolCall)]
    if request.tool_choice is not None and request.tool_choice.name is not None:
        names.append(request.tool_choice.name)
    if not names or form.name_max is None:
        return {name: name for name in names}
    return _aliased(tuple(dict.fromkeys(names)), form)


@lru_cache(maxsize=256)
def _aliased(names: tuple[str, ...], form: Form) -> dict[str, str]:
    assert form.name_max is not None
    pattern = re.compile(form.name)
    taken = {name for name in names if len(name) <= form.name_max and pattern.fullmatch(name)}
    return {name: name if name in taken else _alias(name, form.name_max, taken) for name in names}


def _alias(name: str, longest: int, taken: set[str]) -> str:
    """Recognisable, and its own by a digest of the name: the same in every request."""
    plain = re.sub(r"[^a-zA-Z0-9_-]+", "_", name)
    if not re.match(r"[a-zA-Z_]", plain):
        plain = f"t_{plain}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    for size in range(DIGEST, len(digest)):
        alias = f"{plain[: longest - size - 1]}_{digest[:size]}"
        if alias not in taken:
            break
    taken.add(alias)
    return alias


def short(text: str, longest: int | None) -> str:
    """The same text if it fits, else its beginning and a digest: equal texts stay equal, different ones different."""
    if longest is None or len(text) <= longest:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return f"{text[: longest - len(digest) - 1]}-{digest}"


def _named(message: Message, names: Mapping[str, str], form: Form, lost: dict[str, None]) -> Message:
    if not _has_tools(message):
        return message
    content: list[Part] = []
    for part in message.content:
        if isinstance(part, ToolCall):
            part = _call(part, names, form, lost)
        elif isinstance(part, ToolResult):
            name = None if part.name is None else names.get(part.name, part.name)
            inner = (
                tuple([one for one in part.content if not _is_blank(one)]) if not form.blank else part.content
            )
            part = replace(part, call_id=short(part.call_id, form.call_id_max), name=name, content=inner)
        content.append(part)
    return replace(message, content=tuple(content))


def _call(call: ToolCall, names: Mapping[str, str], form: Form, lost: dict[str, None]) -> ToolCall:
    arguments = call.arguments
    if not call.custom and arguments.strip() and not is_object(arguments):
        lost["tool_calls.arguments"] = None
        arguments = bytes(input_object(arguments)[0]).decode()
    return replace(
        call,
        id=short(call.id, form.call_id_max),
        name=names.get(call.name, call.name),
        arguments=arguments,
    )


def _tool(tool: Tool | OpaqueTool, names: Mapping[str, str]) -> Tool | OpaqueTool:
    if isinstance(tool, Tool) and names.get(tool.name, tool.name) != tool.name:
        return replace(tool, name=names[tool.name])
    return tool


def _labels(request: Request, names: Mapping[str, str], form: Form) -> Request:
    params, choice, wanted = request.params, request.tool_choice, request.response_format
    if params.user is not None and form.user_max is not None and len(params.user) > form.user_max:
        params = replace(params, user=short(params.user, form.user_max))
    key = params.prompt_cache_key
    if key is not None and form.cache_key_max is not None and len(key) > form.cache_key_max:
        params = replace(params, prompt_cache_key=short(key, form.cache_key_max))
    if choice is not None and choice.name is not None:
        choice = replace(choice, name=names.get(choice.name, choice.name))
    if wanted is not None and wanted.name is not None and form.name_max is not None:
        label = _aliased((wanted.name,), _LABEL)[wanted.name]
        wanted = wanted if label == wanted.name else replace(wanted, name=label)
    return replace(request, params=params, tool_choice=choice, response_format=wanted)


_LABEL = Form()
