"""When a changed file is read, and which sockets need keys."""

from __future__ import annotations

import pytest

from turnout.config import schema
from turnout.edge.serve import SETTLE_S, WATCH_S, Rest, StartError, bind, guard


def test_a_file_is_read_once_it_rests() -> None:
    rest = Rest()
    looks = [False, True, True, True, False, False, True, False]
    waits = []
    read = []
    for changed in looks:
        read.append(rest.reached(changed=changed, asked=False))
        waits.append(rest.wait_s)
    assert read == [False, False, False, False, True, False, False, True]
    assert waits == [WATCH_S, SETTLE_S, SETTLE_S, SETTLE_S, WATCH_S, WATCH_S, SETTLE_S, WATCH_S]


def test_a_hangup_reads_at_once_and_once() -> None:
    rest = Rest()
    assert rest.reached(changed=True, asked=True)
    assert not rest.reached(changed=False, asked=False)
    assert not rest.reached(changed=True, asked=False)
    assert rest.reached(changed=True, asked=True)
    assert not rest.reached(changed=False, asked=False)


@pytest.mark.parametrize("host", ["0.0.0.0", ""])
def test_an_open_socket_needs_keys_whatever_the_file_says(host: str) -> None:
    listener = bind(host, 0)
    config = schema.Config()  # which says 127.0.0.1
    try:
        with pytest.raises(StartError, match="without keys"):
            guard(config, listener)
        guard(schema.Config(keys=(schema.Key(name="a", key="a-long-secret"),)), listener)
        with pytest.raises(StartError, match="documents"):
            guard(schema.Config(keys=(schema.Key(name="a", key="change-me-please-1"),)), listener)
    finally:
        listener.close()
    loopback = bind("127.0.0.1", 0)
    guard(config, loopback)
    loopback.close()
