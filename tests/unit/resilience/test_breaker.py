"""The breaker: when it opens, how it is asked again, how traffic returns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turnout.resilience.breaker import Breaker, BreakerPolicy

POLICY = BreakerPolicy()


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.streak_max):
        breaker.failed(now, in_a_row=True)
    assert breaker.state == "open"
    return breaker


def test_death_is_seen_within_a_streak() -> None:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.streak_max - 1):
        breaker.failed(1.0, in_a_row=True)
    assert breaker.admission(1.0) == "yes"
    breaker.failed(1.0, in_a_row=True)
    assert breaker.admission(1.0) == "no"


def test_a_success_ends_a_streak() -> None:
    breaker = Breaker(POLICY)
    for _ in range(7):
        breaker.failed(1.0, in_a_row=True)
        breaker.succeeded(1.0)
    assert breaker.state == "closed"


def test_gray_failure_opens_by_its_share() -> None:
    breaker = Breaker(POLICY)
    asked = 0
    while breaker.state == "closed" and asked < 60:
        if asked % 3 == 0:
            breaker.failed(1.0, in_a_row=True)
        else:
            breaker.succeeded(1.0)
        asked += 1
    assert breaker.state == "open"
    assert asked <= 32


def test_one_failure_in_twenty_does_not_open() -> None:
    breaker = Breaker(POLICY)
    for asked in range(2_000):
        if asked % 20 == 0:
            breaker.failed(1.0, in_a_row=True)
        else:
            breaker.succeeded(1.0)
    assert breaker.opened == 0


def test_soft_failures_make_no_streak() -> None:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.failures_max - 1):
        breaker.failed(1.0, in_a_row=False)
    assert breaker.state == "closed"


def test_one_probe_at_a_time() -> None:
    breaker = opened()
    due = breaker.open_until
    assert breaker.admission(due - 0.01) == "no"
    assert breaker.admission(due) == "probe"
    breaker.probing(due)
    assert breaker.admission(due) == "no"
    breaker.succeeded(due + 0.1)
    assert breaker.admission(due + 0.1) == "probe"


def test_a_probe_that_never_ends_is_replaced() -> None:
    breaker = opened()
    breaker.probing(10.0)
    assert breaker.admission(10.0 + POLICY.probe_s_max) == "probe"


def test_a_bad_probe_doubles_the_wait_up_to_its_most() -> None:
    breaker = opened()
    waits = []
    now = breaker.open_until
    for _ in range(8):
        breaker.probing(now)
        breaker.failed(now, in_a_row=True)
        waits.append(breaker.open_until - now)
        now = breaker.open_until
    assert waits == [2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0, 10.0]


def test_traffic_returns_little_by_little() -> None:
    breaker = opened()
    for _ in range(POLICY.probes_to_close):
        breaker.probing(20.0)
        breaker.succeeded(20.0)
    shares = []
    for start in range(0, 8, 2):
        let_in = sum(breaker.admission(20.0 + start + step / 500) == "yes" for step in range(1000))
        shares.append(let_in / 1000)
    assert shares == sorted(shares)
    assert shares[0] < 0.25
    assert breaker.admission(20.0 + POLICY.ramp_s) == "yes"
    assert breaker.calm


def test_what_broke_after_it_began_was_no_success() -> None:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.streak_max):
        breaker.succeeded(1.0)
        breaker.belied(1.0, in_a_row=True)
    assert breaker.state == "open"


def test_a_long_silence_is_a_new_beginning() -> None:
    breaker = Breaker(POLICY)
    breaker.failed(1.0, in_a_row=True)
    breaker.failed(1.0, in_a_row=True)
    breaker.failed(2.0 + POLICY.forget_s, in_a_row=True)
    assert breaker.state == "closed"


@given(
    st.lists(st.tuples(st.sampled_from(["ok", "hard", "soft", "ask", "left"]), st.floats(0, 5)), max_size=200)
)
def test_it_can_always_be_asked_again(story: list[tuple[str, float]]) -> None:
    """Whatever happened, waiting long enough makes room for at least a probe."""
    breaker, now = Breaker(POLICY), 0.0
    for what, later in story:
        now += later
        if what == "ok":
            breaker.succeeded(now)
        elif what == "ask":
            if breaker.admission(now) == "probe":
                breaker.probing(now)
        elif what == "left":
            breaker.abandoned()
        else:
            breaker.failed(now, in_a_row=what == "hard")
    assert breaker.admission(now + POLICY.open_s_max + POLICY.probe_s_max + POLICY.ramp_s) != "no"
