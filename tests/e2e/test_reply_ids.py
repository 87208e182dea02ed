"""No two conversations meet, however a provider names its replies: one that always gives the same id, asked by two people of one key."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.processes import Process
from tests.e2e.repeating import DIALECTS, ONE_ID, Repeating, repeating

OWN = re.compile(r"resp_[0-9a-f]{48}\Z")


@pytest.fixture(scope="module")
def provider() -> Iterator[Repeating]:
    with repeating() as made:
        yield made


@pytest.fixture(scope="module")
def url(provider: Repeating, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("ids")
    (folder / "turnout.yaml").write_text(provider.configuration())
    with Process("serve", cwd=folder) as process:
        yield process.ready().url
        process.stop()


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, model: str, text: str, *, stream: bool, **more: Any) -> str:
    """The id of the reply; a stream says the same one from its first event to its last."""
    if not stream:
        return str(client.responses.create(model=model, input=text, **more).id)
    ids = [
        event.response.id
        for event in client.responses.create(model=model, input=text, stream=True, **more)
        if event.type in ("response.created", "response.in_progress", "response.completed")
    ]
    assert len(ids) == 3 and len(set(ids)) == 1, ids
    return str(ids[0])


def said(provider: Repeating) -> str:
    """All that the provider was asked last."""
    return json.dumps(provider.asked[-1])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_two_people_of_one_key(
    client: openai.OpenAI, provider: Repeating, dialect: str, stream: bool
) -> None:
    model = f"by-{dialect}"
    ann = ask(client, model, "I am Ann", stream=stream)
    bob = ask(client, model, "I am Bob", stream=stream)
    cid = ask(client, model, "I am Cid", stream=stream)
    assert len({ann, bob, cid}) == 3
    assert all(OWN.match(reply) for reply in (bob, cid))
    assert dialect == "openai_responses" or OWN.match(ann)
    for reply, name in ((ann, "Ann"), (bob, "Bob"), (cid, "Cid")):
        for going_on in (model, "by-anthropic"):  # where it began, and elsewhere
            ask(client, going_on, "Who am I?", stream=stream, previous_response_id=reply)
            assert [who for who in ("Ann", "Bob", "Cid") if f"I am {who}" in said(provider)] == [name]
            assert ONE_ID not in said(provider)
        assert client.responses.retrieve(reply).id == reply
        assert f"I am {name}" in str(client.responses.input_items.list(reply).data)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_providers_own_id_stays_where_nobody_remembers_the_reply(
    client: openai.OpenAI, stream: bool
) -> None:
    for _ in range(2):
        assert ask(client, "by-openai_responses", "Hi", stream=stream, store=False) == ONE_ID


def test_a_provider_that_repeats_an_id_is_not_asked_for_it_again(provider: Repeating, tmp_path: Path) -> None:
    (tmp_path / "turnout.yaml").write_text(provider.configuration())
    with Process("serve", cwd=tmp_path) as process:
        with openai.OpenAI(base_url=process.ready().url + "/v1", api_key="any", max_retries=0) as fresh:
            assert ask(fresh, "by-openai_responses", "Hi", stream=False) == ONE_ID  # the first: it may stand
            ask(fresh, "by-openai_responses", "Go on", stream=True, previous_response_id=ONE_ID)
            assert provider.asked[-1]["previous_response_id"] == ONE_ID
            ask(fresh, "by-openai_responses", "And on", stream=False, previous_response_id=ONE_ID)
            assert "previous_response_id" not in provider.asked[-1]  # the provider has given it away since
            assert "Hi" in said(provider) and "Go on" not in said(provider)
        process.stop()


async def turn(socket: ClientConnection, model: str, text: str, **more: Any) -> str:
    await socket.send(json.dumps({"type": "response.create", "model": model, "input": text, **more}))
    ids = []
    while True:
        event = json.loads(await asyncio.wait_for(socket.recv(), 20))
        assert event["type"] not in ("error", "response.failed"), event
        if "response" in event:
            ids.append(event["response"]["id"])
        if event["type"] == "response.completed":
            assert len(set(ids)) == 1, ids
            return str(ids[0])


@pytest.mark.parametrize("store", [True, False], ids=["stored", "unstored"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_over_a_websocket(url: str, provider: Repeating, dialect: str, store: bool) -> None:
    model = f"by-{dialect}"
    async with connect(f"{url.replace('http', 'ws')}/v1/responses", proxy=None) as socket:
        ann = await turn(socket, model, "I am Ann", store=store)
        bob = await turn(socket, model, "I am Bob", store=store)
        assert ann != bob and OWN.match(bob)
        for reply, name in ((ann, "Ann"), (bob, "Bob")):
            await turn(socket, model, "Who am I?", store=store, previous_response_id=reply)
            assert [who for who in ("Ann", "Bob") if f"I am {who}" in said(provider)] == [name]
