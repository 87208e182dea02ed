"""One gateway for all tests that do not change it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.harness import Running


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def healthy(running: Running) -> Iterator[Running]:
    """The shared gateway, with every fault that the test sets taken away after it."""
    yield running
    running.heal()
