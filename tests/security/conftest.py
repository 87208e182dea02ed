"""A gateway with keys and tight limits, for clients that misbehave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tests.e2e.harness import Running
from turnout.config import schema

KEY = "secret-key-of-the-app"


def guarded(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
    server = replace(config.server, body_bytes_max=1024 * 1024, body_ms=1000, head_ms=1000)
    keys = (
        schema.Key(name="app", key=KEY, team="search"),
        schema.Key(name="narrow", key="key-for-one-model", models=("gpt-4o-mini",)),
    )
    return replace(config, server=server, keys=keys)


@pytest.fixture(scope="session")
def fortress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("fortress"), guarded) as gateway:
        yield gateway
