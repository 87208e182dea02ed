"""Requests with media that have to be fetched: which call ends how."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import get_args

import pytest

from turnout.core.errors import CallFailed, Failure, Kind
from turnout.core.model import DialectName, Document, Image, Message, Part, Request, Text, Url
from turnout.upstream.fetching import Fetcher, FetchRules
from turnout.upstream.media import URLS_MAX, with_media
from turnout.upstream.transport import Address, Origin
from turnout.wire.codec import Target
from turnout.wire.media import TAKEN

TARGET = Target("llava")


def asked(*parts: Part) -> Request:
    return Request("openai_chat", "m", (Message("user", (Text("look"), *parts)),))


class Nowhere:
    """A resolver that knows no host; `hanging` names it never answers for."""

    def __init__(self, *hanging: str) -> None:
        self._hanging = hanging
        self.asked: list[str] = []
        self.cancelled: list[str] = []

    async def __call__(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> Sequence[Address]:
        self.asked.append(origin.host)
        if origin.host in self._hanging:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.cancelled.append(origin.host)
                raise
        raise OSError("no such host")


async def failing(request: Request, fetcher: Fetcher | None, dialect: DialectName = "ollama") -> Failure:
    with pytest.raises(CallFailed) as caught:
        await asyncio.wait_for(with_media(request, dialect, TARGET, fetcher), 20)
    return caught.value.failure


async def test_a_request_without_urls_is_the_same_object() -> None:
    request = asked(Image(Url("data:image/png;base64,iVBORw0K")))
    for dialect in get_args(DialectName):
        assert await with_media(request, dialect, TARGET, None) is request


@pytest.mark.parametrize(
    "dialect", [name for name, row in TAKEN.items() if row.image is not None and "https" not in row.image]
)
async def test_where_nothing_is_fetched_the_next_candidate_may_try(dialect: DialectName) -> None:
    failure = await failing(asked(Image(Url("https://a.example/x.png?key=secret"))), None, dialect)
    assert (failure.kind, failure.param) == (Kind.UNSUPPORTED, "messages.0.content.1")
    assert failure.row.fall_back == "yes" and failure.row.status == 400
    assert "media.fetch" in failure.message and "secret" not in failure.message


async def test_a_failed_fetch_names_its_part_and_ends_the_others() -> None:
    nowhere = Nowhere("slow.example")
    slow, gone = Image(Url("https://slow.example/x")), Image(Url("https://gone.example/x?key=secret"))
    failure = await failing(asked(slow, gone, gone), Fetcher(FetchRules(), lookup=nowhere))
    assert (failure.kind, failure.param) == (Kind.BAD_REQUEST, "messages.0.content.2")
    assert "gone.example" in failure.message and "secret" not in failure.message
    await asyncio.sleep(0)
    assert nowhere.cancelled == ["slow.example"]
    assert sorted(nowhere.asked) == ["gone.example", "slow.example"]


async def test_the_number_of_urls_is_bounded() -> None:
    nowhere = Nowhere()
    fetcher = Fetcher(FetchRules(), lookup=nowhere)
    images = [Image(Url(f"https://a.example/{number}")) for number in range(URLS_MAX + 1)]
    assert (await failing(asked(*images), fetcher)).kind is Kind.TOO_LARGE
    assert nowhere.asked == []
    assert (await failing(asked(*images[1:]), fetcher)).kind is Kind.BAD_REQUEST


async def test_what_a_dialect_takes_in_no_form_is_left_to_its_encoder() -> None:
    request = asked(Document(Url("https://a.example/x.pdf")))
    assert await with_media(request, "ollama", TARGET, None) is request
