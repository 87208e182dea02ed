"""Housekeeping: a chore that fails takes nobody else's turn, and is tried again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from turnout.config.schema import Config, Model, Provider
from turnout.edge import app
from turnout.edge.app import Gateway


async def test_a_chore_that_fails_is_said_once_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "TICK_S", 0.001)
    monkeypatch.setattr(app, "UPKEEP_EVERY_S", 0.0)
    config = Config(
        providers={"p": Provider(dialect="openai_chat", base_url="http://127.0.0.1:9/v1", api_key="k")},
        models={"m": Model(provider="p")},
        store=f"sqlite:///{tmp_path}/t.db",
    )
    gateway = Gateway(replace(config, log=replace(config.log, keep_days=1)), environ={})
    failed = purged = 0
    again = asyncio.Event()

    def refresh() -> None:
        nonlocal failed
        failed += 1
        raise RuntimeError("no prices today")

    def purge(before_ms: int | None, rows_max: int) -> int:
        nonlocal purged
        purged += 1
        if failed > 2 and purged > 2:
            gateway._loop.call_soon_threadsafe(again.set)
        return 0

    monkeypatch.setattr(gateway, "_refresh_prices", refresh)
    monkeypatch.setattr(gateway.store, "purge", purge)
    await asyncio.wait_for(again.wait(), 30)
    await gateway.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "turnout: housekeeping failed, and is tried again: refresh: RuntimeError: no prices today"
    ]
