"""Tools of forms that one API has: free text and groups, as plain functions for those who know none, and as themselves again in the reply.

Promise: what is offered and what was called are told alike, so a conversation stays true; the reply calls each tool by its caller's name, in
its caller's form, however the provider cuts its events. Pure; it must not know a target's limits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from turnout.core.errors import Failure
from turnout.core.events import Event, Finished, Frame, Stop, ToolDelta, ToolStart
from turnout.core.model import Message, OpaqueTool, Part, Request, Tool, ToolCall
from turnout.wire.codec import StreamDecoder
from turnout.wire.free_text import TextReader, arguments_of, function_of


class Called(Struct, frozen=True):
    """What a tool is to its caller: its name, the group in which it stands, and whether it takes free text."""

    name: str
    namespace: str | None = None
    custom: bool = False


# -- the way there
class _Inner(Struct):
    type: str = "function"
    name: str = ""
    description: str | None = None
    parameters: Raw = Raw(b"null")
    strict: bool | None = None


class _Group(Struct):
    name: str
    tools: list[Raw] = []


_group = msgspec.json.Decoder(_Group)
_inner = msgspec.json.Decoder(_Inner)
_members = msgspec.json.Decoder(dict[str, Raw])


def as_functions(request: Request, given: dict[str, Called], *, takes_text: bool) -> Request:
    """Tools of free text and groups as plain functions, in what is offered, in what was called and in what must be called. `given` is filled."""
    names = _Names(request, given)
    tools: list[Tool | OpaqueTool] = []
    for tool in request.tools:
        if isinstance(tool, OpaqueTool) and tool.kind == "custom" and not takes_text:
            made = _text_function(tool.raw, None, names)
            tools.append(made or tool)
        elif isinstance(tool, OpaqueTool) and tool.kind == "namespace":
            tools += _ungrouped(tool, names)
        else:
            tools.append(tool)
    messages = tuple([_functions_called(m, names, takes_text=takes_text) for m in request.messages])
    choice = request.tool_choice
    if choice is not None and choice.name is not None:
        choice = replace(choice, name=names.chosen(choice.name))
    return replace(request, tools=tuple(tools), messages=messages, tool_choice=choice)


class _Names:
    """What each tool is called as a function; no two are called the same."""

    __slots__ = ("_given", "_names", "_plain", "_taken")

    def __init__(self, request: Request, given: dict[str, Called]) -> None:
        self._given = given
        self._plain = {tool.name for tool in request.tools if isinstance(tool, Tool)}
        self._taken = set(self._plain)
        self._names: dict[Called, str] = {}

    def of(self, called: Called) -> str:
        name = self._names.get(called)
        if name is None:
            full = called.name if called.namespace is None else f"{called.namespace}__{called.name}"
            name = full if full not in self._taken else f"{full}_{_digest(called)}"
            self._taken.add(name)
            self._names[called] = name
            self._given[name] = called
        return name

    def chosen(self, name: str) -> str:
        """Of a tool that the caller names without its group."""
        if name in self._plain:
            return name
        return next((full for called, full in self._names.items() if called.name == name), name)


def _digest(called: Called) -> str:
    """Of what is two things with one name: the same in every request."""
    return hashlib.sha256(msgspec.json.encode((called.namespace, called.name, called.custom))).hexdigest()[:8]


def _text_function(raw: Raw, group: str | None, names: _Names) -> Tool | None:
    tool = function_of(raw)
    if tool is None:
        return None
    return replace(tool, name=names.of(Called(tool.name, group, custom=True)))


def _ungrouped(tool: OpaqueTool, names: _Names) -> list[Tool | OpaqueTool]:
    try:
        group = _group.decode(tool.raw)
        inner = [(_inner.decode(raw), raw) for raw in group.tools]
    except (msgspec.MsgspecError, RecursionError):
        return [tool]
    out: list[Tool | OpaqueTool] = []
    for one, raw in inner:
        if one.type == "custom":
            plain = {name: value for name, value in _members.decode(raw).items() if name != "type"}
            made = _text_function(Raw(msgspec.json.encode({"custom": plain})), group.name, names)
            out += [made] if made is not None else []
        elif one.name:
            schema = None if bytes(one.parameters) == b"null" else one.parameters
            out.append(Tool(names.of(Called(one.name, group.name)), one.description, schema, one.strict))
    return out


def _functions_called(message: Message, names: _Names, *, takes_text: bool) -> Message:
    if not any(isinstance(p, ToolCall) and (p.custom or p.namespace) for p in message.content):
        return message
    content = tuple([_function_called(part, names, takes_text=takes_text) for part in message.content])
    return replace(message, content=content)


def _function_called(part: Part, names: _Names, *, takes_text: bool) -> Part:
    if not isinstance(part, ToolCall) or not (part.custom or part.namespace):
        return part
    if part.custom and takes_text and part.namespace is None:
        return part
    arguments = arguments_of(part.arguments) if part.custom else part.arguments
    name = names.of(Called(part.name, part.namespace, part.custom))
    return replace(part, name=name, namespace=None, custom=False, arguments=arguments)


# -- the way back
class Returning:
    """Events of one reply with the caller's tools in them again."""

    __slots__ = ("_calls", "_texts")

    def __init__(self, calls: Mapping[str, Called]) -> None:
        self._calls = calls
        self._texts: dict[tuple[int, int], TextReader] = {}  # of open calls of free text, by choice and index

    def returned(self, events: Sequence[Event]) -> tuple[Event, ...]:
        out: list[Event] = []
        for event in events:
            if isinstance(event, ToolStart):
                out.append(self._started(event))
            elif isinstance(event, ToolDelta) and (event.choice, event.index) in self._texts:
                text = self._texts[event.choice, event.index].feed(event.arguments)
                if text:
                    out.append(replace(event, arguments=text))
            else:
                if self._texts and isinstance(event, Stop | Finished):
                    out += self._rest()
                out.append(event)
        return tuple(out)

    def _started(self, start: ToolStart) -> ToolStart:
        called = self._calls.get(start.name)
        if called is None:
            return start
        if called.custom:
            self._texts[start.choice, start.index] = TextReader()
        return replace(start, name=called.name, namespace=called.namespace, custom=called.custom)

    def _rest(self) -> list[Event]:
        """Of calls whose arguments had another form."""
        texts, self._texts = self._texts, {}
        ends = [(key, reader.end()) for key, reader in texts.items()]
        return [ToolDelta(index, text, choice) for (choice, index), text in ends if text]


_TOUCHED = frozenset({ToolStart, ToolDelta, Stop, Finished})


class ReturningDecoder:
    """A provider's decoder whose events have the caller's tools in them. See `wire.codec.StreamDecoder`."""

    def __init__(self, decoder: StreamDecoder, calls: Mapping[str, Called]) -> None:
        self._decoder = decoder
        self._returning = Returning(calls)

    def feed(self, data: bytes) -> list[Frame]:
        return [self._frame(frame) for frame in self._decoder.feed(data)]

    def eof(self, failure: Failure | None) -> list[Frame]:
        return [self._frame(frame) for frame in self._decoder.eof(failure)]

    def _frame(self, frame: Frame) -> Frame:
        if _TOUCHED.isdisjoint(map(type, frame.events)):
            return frame
        return Frame(frame.raw, self._returning.returned(frame.events))
