"""Request ids: 63-bit integers that grow with time, unique without asking anybody.

41 bits of milliseconds since 2024 (good until 2093), 12 bits that tell processes apart, 10 bits that count within a
millisecond; a process that needs more than 1,024 in one borrows from the next, so ids stay unique and in order even when
the clock is set back. In the log's table they are the primary key: rows are filled in at the right end.
"""

from __future__ import annotations

from collections.abc import Callable

EPOCH_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_COUNTER_BITS = 10
_NODE_BITS = 12


def id_maker(node: int, now_s: Callable[[], float]) -> Callable[[], int]:
    """A function that makes the next id. `node` (its lowest 12 bits count) tells processes that share a store apart."""
    low = (node % (1 << _NODE_BITS)) << _COUNTER_BITS
    state = [0, 0]  # the last millisecond, the count within it

    def next_id() -> int:
        ms = int(now_s() * 1000) - EPOCH_MS
        if ms > state[0]:
            state[0], state[1] = ms, 0
        else:
            state[1] += 1
            if state[1] == 1 << _COUNTER_BITS:
                state[0], state[1] = state[0] + 1, 0
        return state[0] << (_NODE_BITS + _COUNTER_BITS) | low | state[1]

    return next_id
