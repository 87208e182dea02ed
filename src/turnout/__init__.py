"""Turnout: every request to a model that will do the job, inside the caller's rules and money.

The public names of the library; each is imported when it is first used, so that `import turnout` alone costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnout.config.schema import Config
    from turnout.core.call import Notice
    from turnout.core.errors import Failure
    from turnout.core.events import (
        AudioDelta,
        Event,
        Finished,
        OpaqueBlock,
        ReasoningDelta,
        ReasoningRedacted,
        ReasoningSignature,
        RefusalDelta,
        Started,
        Stop,
        TextDelta,
        ToolDelta,
        ToolStart,
        Usage,
    )
    from turnout.core.record import AttemptRow
    from turnout.library.client import Client
    from turnout.library.errors import (
        BadRequest,
        BudgetExceeded,
        ConfigurationError,
        NoCandidate,
        RateLimited,
        Timeout,
        TurnoutError,
        Unavailable,
    )
    from turnout.library.options import ChatOptions, Controls
    from turnout.library.replies import Embeddings, Reply, Response, ToolCall
    from turnout.library.streams import RawStream, Stream
    from turnout.library.sync import SyncClient, SyncRawStream, SyncStream
    from turnout.routing.explanation import Explanation

__version__ = "0.1.0"

_MODULES = {
    "turnout.library.client": ("Client",),
    "turnout.library.sync": ("SyncClient", "SyncStream", "SyncRawStream"),
    "turnout.library.replies": ("Reply", "ToolCall", "Embeddings", "Response"),
    "turnout.library.streams": ("Stream", "RawStream"),
    "turnout.library.options": ("ChatOptions", "Controls"),
    "turnout.library.errors": (
        "TurnoutError",
        "BadRequest",
        "NoCandidate",
        "BudgetExceeded",
        "RateLimited",
        "Timeout",
        "Unavailable",
        "ConfigurationError",
    ),
    "turnout.core.events": (
        "Event",
        "Started",
        "TextDelta",
        "RefusalDelta",
        "ReasoningDelta",
        "ReasoningSignature",
        "ReasoningRedacted",
        "ToolStart",
        "ToolDelta",
        "AudioDelta",
        "OpaqueBlock",
        "Usage",
        "Stop",
        "Finished",
    ),
    "turnout.core.call": ("Notice",),
    "turnout.core.errors": ("Failure",),
    "turnout.core.record": ("AttemptRow",),
    "turnout.routing.explanation": ("Explanation",),
    "turnout.config.schema": ("Config",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Client",
    "SyncClient",
    "Reply",
    "ToolCall",
    "Embeddings",
    "Response",
    "Stream",
    "RawStream",
    "SyncStream",
    "SyncRawStream",
    "ChatOptions",
    "Controls",
    "Config",
    "TurnoutError",
    "BadRequest",
    "NoCandidate",
    "BudgetExceeded",
    "RateLimited",
    "Timeout",
    "Unavailable",
    "ConfigurationError",
    "Failure",
    "Event",
    "Started",
    "TextDelta",
    "RefusalDelta",
    "ReasoningDelta",
    "ReasoningSignature",
    "ReasoningRedacted",
    "ToolStart",
    "ToolDelta",
    "AudioDelta",
    "OpaqueBlock",
    "Usage",
    "Stop",
    "Finished",
    "Notice",
    "AttemptRow",
    "Explanation",
]


if not TYPE_CHECKING:  # a type checker would take any name for one of ours

    def __getattr__(name: str) -> object:
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module 'turnout' has no attribute {name!r}")
        from importlib import import_module

        found = getattr(import_module(module), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
