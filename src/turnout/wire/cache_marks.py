"""No more prompt-cache marks than a target takes, in an order that it takes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from msgspec.structs import replace

from turnout.core.model import (
    CacheControl,
    Document,
    Image,
    Message,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)


def marked(request: Request, most: int, lost: dict[str, None]) -> Request:
    """At most so many, the last ones of the prefix (tools, system, conversation); no longer life after a shorter one."""
    marks = [part.cache for part in _markable(request) if part.cache is not None]
    if not marks:
        return request
    surplus = len(marks) + (request.params.cache is not None) - most
    out_of_order = any(later.ttl == "1h" and earlier.ttl == "5m" for earlier, later in pairwise(marks))
    if surplus <= 0 and not out_of_order:
        return request
    lost["cache_control.marks"] = None
    seen = 0
    short_lived = False

    def kept(cache: CacheControl | None) -> CacheControl | None:
        nonlocal seen, short_lived
        if cache is None:
            return None
        seen += 1
        if seen <= surplus:
            return None
        short_lived = short_lived or cache.ttl == "5m"
        return CacheControl("5m") if short_lived else cache

    tools = tuple([replace(t, cache=kept(t.cache)) if isinstance(t, Tool) else t for t in request.tools])
    system = [m for m in request.messages if m.role in ("system", "developer")]
    fixed = {id(m): _remark(m, kept) for m in [*system, *[m for m in request.messages if m not in system]]}
    return replace(request, tools=tools, messages=tuple([fixed[id(m)] for m in request.messages]))


_Markable = Tool | Text | Image | Document | ToolCall | ToolResult


def _markable(request: Request) -> list[_Markable]:
    tools: list[_Markable] = [tool for tool in request.tools if isinstance(tool, Tool)]
    system = [m for m in request.messages if m.role in ("system", "developer")]
    rest = [m for m in request.messages if m.role not in ("system", "developer")]
    parts: list[_Markable] = [
        part
        for message in (*system, *rest)
        for part in message.content
        if isinstance(part, Text | Image | Document | ToolCall | ToolResult)
    ]
    return tools + parts


def _remark(message: Message, kept: Callable[[CacheControl | None], CacheControl | None]) -> Message:
    content = tuple(
        [
            replace(part, cache=kept(part.cache))
            if isinstance(part, Text | Image | Document | ToolCall | ToolResult)
            else part
            for part in message.content
        ]
    )
    return replace(message, content=content)
