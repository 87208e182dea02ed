"""Media that a target takes by value only, and that the caller gave by URL: fetched before the request is encoded.

Promise: what reaches an encoder can be said in its dialect. Where a URL cannot be, it is fetched, if the configuration allows
that, and otherwise refused with the name of the part and the way out; it is never dropped in silence. A refusal because nothing
may be fetched is of the kind that lets the next candidate try: one that takes URLs still answers. A URL that could not be fetched
is the caller's to mend, and ends the call.

A URL that is named several times is fetched once. Requests without such URLs pass through untouched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from turnout.core.errors import CallFailed, Kind, fail
from turnout.core.model import DialectName, Inline, Request
from turnout.upstream.fetching import Fetcher, FetchFailed
from turnout.wire.codec import Target
from turnout.wire.media import ByAddress, by_address, taken_by, with_values

URLS_MAX = 64
"""Most different URLs that are fetched for one request."""


async def with_media(
    request: Request,
    dialect: DialectName,
    target: Target,
    fetcher: Fetcher | None,
    within_s: float | None = None,
) -> Request:
    """The request as this target can take it. Raises `CallFailed` (UNSUPPORTED, BAD_REQUEST, TOO_LARGE), naming the part."""
    taken = taken_by(dialect, target.model, target.quirks)
    needed = by_address(request, taken)
    if not needed:
        return request
    if fetcher is None:
        raise _off(needed[0], target)
    return with_values(request, taken, await _fetched(needed, fetcher, within_s))


async def _fetched(
    needed: tuple[ByAddress, ...], fetcher: Fetcher, within_s: float | None
) -> Mapping[str, Inline]:
    """Values by URL. The first failure ends all other fetches."""
    first = {source.url: source for source in reversed(needed)}
    if len(first) > URLS_MAX:
        raise fail(
            Kind.TOO_LARGE, f"Media of more than {URLS_MAX} URLs would have to be fetched for this request."
        )
    purse = _Purse(fetcher.rules.bytes_max)
    tasks = [asyncio.ensure_future(_one(source, fetcher, within_s, purse)) for source in first.values()]
    try:
        return dict(zip(first, await asyncio.gather(*tasks), strict=True))
    finally:
        for task in tasks:
            task.cancel()


class _Purse:
    """How much may still be fetched for one request."""

    __slots__ = ("left",)

    def __init__(self, bytes_max: int) -> None:
        self.left = bytes_max


async def _one(source: ByAddress, fetcher: Fetcher, within_s: float | None, purse: _Purse) -> Inline:
    try:
        value = await fetcher.fetch(source.url, source.kind, within_s)
    except FetchFailed as error:
        raise _failed(source, error.reason) from None
    purse.left -= len(value.data) * 3 // 4
    if purse.left < 0:
        raise fail(
            Kind.TOO_LARGE,
            f"The media to be fetched for this request are larger than {fetcher.rules.bytes_max} bytes together.",
            param=source.param,
        )
    return value


def _failed(source: ByAddress, reason: str) -> CallFailed:
    return fail(Kind.BAD_REQUEST, f"{source.param}: the {source.kind} {reason}.", param=source.param)


def _off(source: ByAddress, target: Target) -> CallFailed:
    return fail(
        Kind.UNSUPPORTED,
        f"{source.param}: {target.model} does not take this {source.kind} by URL, and the gateway does not fetch media. "
        "Send it by value (base64), or set `media.fetch: true` in the gateway's configuration.",
        param=source.param,
    )
