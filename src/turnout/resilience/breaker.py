"""Whether one thing that can fail may be asked now: a circuit breaker with probation and a slow return.

Promise: a thing that is dead is left alone after `streak_max` failures in a row; one that fails often enough (`failures_max` of the
last 32 answers) too, although each single failure looked like chance. Left alone, it is asked again by one probe at a time;
`probes_to_close` good ones in a row close the breaker, any bad one opens it for twice as long. After that traffic returns
as a growing share over `ramp_s`, because the first thing that a thing which has just recovered cannot bear is everybody.

Why a count of answers and not of seconds: language-model traffic is thin, a window of time holds nothing or everything. Why both a
streak and a share: a streak sees death within a few requests, the share sees the gray failure that a streak never sees.

Pure: time is an argument (seconds, any steady origin), and so nothing here is random. It does not know what it guards.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ANSWERS_KEPT = 32
_ANSWERS = (1 << ANSWERS_KEPT) - 1
RAMP_SHARE_MIN = 0.1

Admission = Literal["yes", "probe", "no"]


class BreakerPolicy(Struct, frozen=True):
    """Seconds and counts of answers. `forget_s` without any answer makes the past count for nothing."""

    streak_max: int = 3
    failures_max: int = 8
    open_s: float = 1.0
    open_s_max: float = 10.0
    probes_to_close: int = 4
    probe_s_max: float = 30.0
    ramp_s: float = 8.0
    forget_s: float = 300.0


class Breaker:
    """One thing's record. `state` is `closed`, `open` or `probation`."""

    __slots__ = (
        "_answers",
        "_asked",
        "_closed_at",
        "_interval_s",
        "_last_at",
        "_let_in",
        "_open_until",
        "_policy",
        "_probe_since",
        "_probes_good",
        "_streak",
        "_streak_before",
        "opened",
        "state",
    )

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self.state: Literal["closed", "open", "probation"] = "closed"
        self.opened = 0  # how often it opened, for reports
        self._answers = 0  # one bit an answer, 1 is a failure
        self._streak = self._streak_before = 0
        self._last_at = 0.0
        self._interval_s = policy.open_s
        self._open_until = 0.0
        self._probe_since: float | None = None
        self._probes_good = 0
        self._closed_at: float | None = None  # while traffic is coming back
        self._asked = self._let_in = 0

    @property
    def calm(self) -> bool:
        """Closed, with nothing held against it: it need not be asked about."""
        return self.state == "closed" and self._closed_at is None

    @property
    def failures_seen(self) -> int:
        """Among the last answers."""
        return self._answers.bit_count()

    @property
    def open_until(self) -> float:
        """When the next probe is due; meaningful while `open`."""
        return self._open_until

    def admission(self, now: float) -> Admission:
        """May it be asked? `probe` must be followed by `probing`."""
        if self.state == "closed":
            return "yes" if self._closed_at is None or self._ramp(now) else "no"
        if self.state == "open" and now < self._open_until:
            return "no"
        if self._probe_since is not None and now - self._probe_since < self._policy.probe_s_max:
            return "no"
        return "probe"

    def _ramp(self, now: float) -> bool:
        """Lets in a share that grows with time since the return."""
        assert self._closed_at is not None
        share = (now - self._closed_at) / self._policy.ramp_s
        if share >= 1.0:
            self._closed_at = None
            self._interval_s = self._policy.open_s
            return True
        self._asked += 1
        if self._let_in <= self._asked * max(share, RAMP_SHARE_MIN) - 1:
            self._let_in += 1
            return True
        return False

    def probing(self, now: float) -> None:
        """A probe begins."""
        self.state = "probation"
        self._probe_since = now

    def abandoned(self) -> None:
        """An attempt ended without a verdict: its client left, or another was faster."""
        self._probe_since = None

    def succeeded(self, now: float) -> None:
        self._remember(now, 0)
        self._streak_before, self._streak = self._streak, 0
        self._probe_since = None
        if self.state == "closed":
            return
        self.state = "probation"
        self._probes_good += 1
        if self._probes_good >= self._policy.probes_to_close:
            self.close(now)

    def failed(self, now: float, *, in_a_row: bool) -> None:
        """`in_a_row`: the kind of failure that counts in a streak, and not only in the share."""
        self._remember(now, 1)
        if self.state != "closed":
            self.open(now)
            return
        if in_a_row:
            self._streak += 1
        if (
            self._streak >= self._policy.streak_max
            or self._answers.bit_count() >= self._policy.failures_max
            or (self._closed_at is not None and self._answers.bit_count() * 4 >= self._policy.failures_max)
        ):
            self.open(now)

    def belied(self, now: float, *, in_a_row: bool) -> None:
        """A success of before turned out a failure: the reply broke after it had begun."""
        self._answers >>= 1
        self._streak = self._streak or self._streak_before
        self.failed(now, in_a_row=in_a_row)

    def open(self, now: float, least_s: float = 0.0) -> None:
        """Leave it alone for the interval, at least `least_s`; the next time for twice as long."""
        self.state = "open"
        self.opened += 1
        self._open_until = now + max(self._interval_s, least_s)
        self._interval_s = min(self._interval_s * 2, self._policy.open_s_max)
        self._probe_since = None
        self._probes_good = 0
        self._closed_at = None

    def close(self, now: float) -> None:
        """Let traffic return, little by little."""
        self.state = "closed"
        self._closed_at = now
        self._asked = self._let_in = 0
        self._answers = self._streak = self._probes_good = 0

    def _remember(self, now: float, failed: int) -> None:
        if now - self._last_at > self._policy.forget_s:
            self._answers = self._streak = 0
        self._last_at = now
        self._answers = ((self._answers << 1) | failed) & _ANSWERS
