"""Token counts for clients whose provider sent none, or sent them too late.

Promise: what a client is told at the end is what the log says (`Call.outcome`), estimated or not. A client of Anthropic's API reads the size of its prompt
at the beginning of a stream, where most other providers have not counted yet: it gets the estimate, or the count where it is there already. Estimates
are marked in the `turnout` object. What is relayed in its own dialect is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from turnout.core.call import Call, Reply
from turnout.core.errors import CallFailed
from turnout.core.events import Event, Finished, Frame, Started, Usage
from turnout.routing.tokens import estimate_tokens


def early_usage(call: Call, reply: Reply, frames: Sequence[Frame]) -> Usage | None:
    """What to tell at the beginning; `frames` are the first. `None`: nothing that is not told anyhow."""
    if call.dialect != "anthropic" or (reply.streamed and reply.dialect == call.dialect):
        return None
    for frame in frames:
        for event in frame.events:
            if type(event) is Usage and event.prompt:
                return event
    plan = call.plan
    if plan is not None and plan.tokens is not None:
        return Usage(input=plan.tokens.input, estimated=True)
    try:
        return Usage(input=estimate_tokens(call.request), estimated=True)
    except CallFailed:  # what cannot be read is not counted
        return None


def counted(
    call: Call, early: Usage | None, encode: Callable[[Sequence[Event]], bytes]
) -> Callable[[Sequence[Event]], bytes]:
    """`encode` with the counts where they belong: `early` behind the beginning, the outcome's before the end."""

    def encoded(events: Sequence[Event]) -> bytes:
        if events and type(events[0]) is Started and early is not None:
            events = (events[0], early, *events[1:])
        if events and type(events[-1]) is Finished:
            outcome = call.outcome
            if outcome is not None and outcome.usage is not None:
                events = (*events[:-1], outcome.usage, events[-1])
        return encode(events)

    return encoded
