"""Request ids: unique, in order, whatever the clock does."""

from __future__ import annotations

from turnout.core.call import request_id_number, request_id_text
from turnout.edge.ids import EPOCH_MS, id_maker


def test_unique_and_rising_with_a_clock_that_stands_still_and_goes_back() -> None:
    times = iter(
        [EPOCH_MS / 1000 + 5.0] * 3000 + [EPOCH_MS / 1000 + 4.0] * 3000 + [EPOCH_MS / 1000 + 99.0] * 10
    )
    make = id_maker(3, lambda: next(times))
    ids = [make() for _ in range(6010)]
    assert ids == sorted(set(ids))
    assert max(ids) < 2**63


def test_nodes_do_not_meet() -> None:
    first, second = id_maker(1, lambda: 1.8e9), id_maker(2, lambda: 1.8e9)
    assert not {first() for _ in range(2000)} & {second() for _ in range(2000)}


def test_text_is_the_number() -> None:
    assert request_id_number(request_id_text(12345)) == 12345
    assert request_id_text(1) < request_id_text(2**62)
