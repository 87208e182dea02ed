"""What a provider says of a failure, made fit to be passed on, and what the log says in its place.

Promise: a failure that leaves here holds no configured secret in any of its texts; the log gets a sentence of Turnout's own with the provider's
status and code word, never the provider's quotation, which may repeat a prompt. A frame that tells a failure is masked as its events are. Of a provider's headers only those pass
that the official SDKs read, and only plain short values.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from turnout.core.errors import Failure, Kind
from turnout.core.events import Event, Failed, Frame
from turnout.upstream.catalog import Route
from turnout.wire.codec import Headers

_QUOTING = {
    Kind.UPSTREAM_BAD_REQUEST: "The provider refused the request",
    Kind.UPSTREAM_NOT_FOUND: "The provider does not know the model or the path",
    Kind.CONTEXT_TOO_LONG: "The prompt is too long for the model",
    Kind.TOO_LARGE: "The request is too large for the provider",
    Kind.CONTENT_FILTERED: "The provider's filter refused the content",
    Kind.UNSUPPORTED: "The provider does not support what was asked",
}
"""Kinds whose message is the provider's own; all others have a sentence of Turnout's."""
_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,64}\Z")


_LIMITS = (b"x-ratelimit-", b"anthropic-ratelimit-")
_PLAIN = re.compile(rb"[A-Za-z0-9 .,:;=/_+-]{1,64}\Z")
_HEADERS_MAX = 24


def limits_in(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """What a reply's headers say of rate limits; the names are lower case."""
    found = [pair for pair in headers if pair[0].startswith(_LIMITS) and _PLAIN.match(pair[1])]
    return tuple(found[:_HEADERS_MAX])


def told_headers(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """The same of a refusal, and the provider's own word on asking again."""
    wish = [pair for pair in headers if pair[0] == b"x-should-retry" and pair[1] in (b"true", b"false")]
    return (*wish[:1], *limits_in(headers))


def owned(failure: Failure, route: Route) -> Failure:
    """A provider's failure as everybody else may see it."""
    mask = route.mask.text
    code = None if failure.provider_code is None else mask(failure.provider_code)
    return replace(
        failure,
        message=mask(failure.message),
        provider_code=code,
        param=None if failure.param is None else mask(failure.param),
        provider=route.card.provider,
        log=_sentence(failure, code),
    )


def _sentence(failure: Failure, code: str | None) -> str:
    said = _QUOTING.get(failure.kind) or failure.message.removesuffix(".")
    facts = [] if failure.status is None else [f"HTTP {failure.status}"]
    if code is not None and _WORD.match(code):
        facts.append(code)
    return f"{said} ({', '.join(facts)})." if facts else f"{said}."


def masked(frame: Frame, route: Route) -> Frame:
    """A frame of a stream that failed."""
    raw = route.mask.data(frame.raw)
    events = frame.events
    if events and type(events[-1]) is Failed:
        failure = events[-1].failure
        if raw != frame.raw:
            failure = _reread(raw, failure, route)
        events = (*events[:-1], Failed(owned(failure, route)))
    return Frame(raw, events)


def _reread(raw: bytes, failure: Failure, route: Route) -> Failure:
    """The failure as the masked bytes tell it: what was cut or masked by its looks before cannot be recognised any more."""
    events: list[Event] = []
    for frame in route.codec.stream_decoder(route.target.quirks).feed(raw):
        events += frame.events
    again = events[-1].failure if events and isinstance(events[-1], Failed) else failure
    return again if again.kind is failure.kind else failure
