"""A module here that has `EVENT_LOOPS` runs its asynchronous tests once on each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    module = item.getparent(pytest.Module)
    usual: Mapping[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    return getattr(module.obj, "EVENT_LOOPS", usual) if module is not None else usual
