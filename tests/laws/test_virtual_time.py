"""The real program in virtual time: an hour of outages in moments, and with the same seed the same bytes."""

from __future__ import annotations

import asyncio
import random
import time
from hashlib import sha256

import msgspec
import pytest

from tests.laws.virtual import World
from turnout.core.errors import Kind
from turnout.sim import Fault, Match, Rule
from turnout.sim.clock import VirtualLoop, run

ASK = {"role": "user", "content": "What is the capital of France?"}
HOUR_S = 3600


async def _hour(loop: VirtualLoop, seed: int) -> tuple[str, World, list[int]]:
    """A request every ten seconds; providers come and go, stall and refuse. A digest of all that was said."""
    world = World(loop, seed)
    chance = random.Random(seed)
    digest, statuses = sha256(), []
    providers = sorted(world.simulated.servers)
    for _ in range(HOUR_S // 10):
        name = chance.choice(providers).removesuffix(".sim")
        match chance.randrange(5):
            case 0:
                world.down(name)
            case 1:
                world.up(name)
            case 2:
                fault = Fault(
                    chance.choice(["hang", "status", "reset", "cut_after", "empty", "html"]), status=503
                )
                world.simulated.control[name].faults.add(Rule(fault, Match(), times=3))
            case 3:
                world.simulated.control[name].faults.rules.clear()
        model = chance.choice(["gpt-4o", "auto", "claude-sonnet-4-6"])
        status, body = await world.ask({"model": model, "stream": chance.random() < 0.5, "messages": [ASK]})
        statuses.append(status)
        digest.update(b"%d %b" % (status, body))
        await asyncio.sleep(10)
    digest.update(msgspec.json.encode(world.rows))
    await world.close()
    return digest.hexdigest(), world, statuses


def test_an_hour_of_outages_is_the_same_twice() -> None:
    told = []
    for seed in (1, 1, 2):
        loop = VirtualLoop()
        digest, world, statuses = run(_hour(loop, seed), loop)
        assert loop.time() > HOUR_S
        assert len(world.rows) == len(statuses)
        assert len({row.id for row in world.rows}) == len(world.rows)
        assert statuses.count(200) > 0.9 * len(statuses)
        assert any(len(row.attempts) > 1 for row in world.rows)
        told.append(digest)
    assert told[0] == told[1]
    assert told[0] != told[2]


def test_a_silent_provider_costs_its_deadline_and_not_the_days() -> None:
    async def story(loop: VirtualLoop) -> None:
        world = World(loop, 1)
        for control in world.simulated.control.values():
            control.faults.add(Rule(Fault("hang"), Match()))
        begun, real = loop.time(), time.perf_counter()
        status, body = await world.ask({"model": "gpt-4o", "stream": True, "messages": [ASK]})
        assert status == 200  # the head left after ten seconds, and signs of life after it
        assert b"first_token_timeout" in body and b"[DONE]" not in body
        assert body.count(b": waiting") == pytest.approx(loop.time() / 10, abs=2)
        assert loop.time() - begun > 15  # first-token deadlines, one after another, in virtual seconds
        assert time.perf_counter() - real < loop.time() - begun
        (row,) = world.rows
        assert {attempt.failure for attempt in row.attempts} == {Kind.FIRST_TOKEN_TIMEOUT}
        assert row.overhead_ms < 1.0  # virtual time passes in waiting only
        await world.close()

    loop = VirtualLoop()
    run(story(loop), loop)


@pytest.mark.parametrize(("pings", "least_s", "most_s"), [(False, 29, 32), (True, 299, 303)])
def test_any_byte_shows_life_and_content_has_a_limit_of_its_own(
    pings: bool, least_s: float, most_s: float
) -> None:
    async def story(loop: VirtualLoop) -> None:
        world = World(loop, 1)
        fault = Fault("stall_after", chunks=2, pings=pings)
        world.simulated.control["anthropic"].faults.add(Rule(fault, Match()))
        begun = loop.time()
        status, body = await world.ask({"model": "claude-sonnet-4-6", "stream": True, "messages": [ASK]})
        assert status == 200
        assert b'"code":"stalled"' in body
        assert least_s < loop.time() - begun < most_s
        (row,) = world.rows
        assert (row.error, row.attempts[-1].failure) == ("stalled", Kind.STALLED)
        await world.close()

    loop = VirtualLoop()
    run(story(loop), loop)


@pytest.mark.parametrize("effort", [None, "high"])
def test_a_model_that_thinks_is_waited_for(effort: str | None) -> None:
    async def story(loop: VirtualLoop) -> None:
        world = World(loop, 1)
        world.simulated.control["openai"].faults.add(Rule(Fault("slow_first_token", ms=200_000), Match()))
        body = {
            "model": "gpt-5.4",
            "stream": True,
            "messages": [ASK],
            **({"reasoning_effort": effort} if effort else {}),
        }
        await world.ask(body)
        (row,) = world.rows
        assert row.provider == ("openai" if effort else row.provider)
        assert (row.attempts[0].failure is None) == (effort is not None)
        await world.close()

    loop = VirtualLoop()
    run(story(loop), loop)
