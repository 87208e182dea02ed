"""What is known of everybody's health, kept by what failed: the endpoint, the model, or the credential.

Promise: asking costs one look at a set while all is well. Three records stand behind a candidate, because they fail apart: an
endpoint that refuses connections takes all its models with it, a model that answers 500 takes only itself, a key that ran out
takes neither. What a failure says of whom is the failure table's word (`Row.health`) and the small map below.

Nobody is ever ejected from the last place: `pick` takes the sick after the well and never leaves them out, so that a wrong
verdict can cost time and never an answer. Latency is judged against a model's own past and against other deployments of the same
model (see `latency`); a slow candidate is treated like a failing one, and asked again by probes.

Pure: the clock's reading comes as an argument, in seconds. It must not know how calls are made, or what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from turnout.core.card import Card
from turnout.core.errors import Failure, Kind
from turnout.resilience.breaker import Breaker, BreakerPolicy
from turnout.resilience.concurrency import Limit
from turnout.resilience.latency import SAMPLES_FOR_QUANTILES, SLOW_FLOOR_MS, Series

PAUSE_S_MAX = 60.0  # of a provider's Retry-After
RECORDS_MAX = 4_096
ACCEPT_SLOW_AFTER = 12  # openings for slowness after which slow is the usual
_OF_ENDPOINT = frozenset({Kind.CONNECT, Kind.TLS, Kind.CONNECT_TIMEOUT})
_OF_MODEL = frozenset({Kind.UPSTREAM_NOT_FOUND})
_TOO_MUCH = frozenset({Kind.RATE_LIMITED, Kind.OVERLOADED})
_CREDENTIAL_OPEN_S = 10.0


class HealthPolicy(Struct, frozen=True):
    """`slow_factor`: how many times its usual time to first content makes a model slow; 0: never."""

    breaker: BreakerPolicy = BreakerPolicy()
    slow_factor: float = 5.0
    hedge_ms_min: float = 50.0
    hedge_ms_max: float = 20_000.0


class Standing(Struct, frozen=True):
    """A record as people and tools read it."""

    what: str
    state: str
    opened: int
    in_flight: int
    limit: int
    paused_s: float
    usual_ms: float | None
    p95_ms: float | None


class _Record:
    """One endpoint, model or credential."""

    __slots__ = ("breaker", "limit", "paused_until", "slow", "streams", "wholes")

    def __init__(self, policy: BreakerPolicy) -> None:
        self.breaker = Breaker(policy)
        self.slow = Breaker(policy)
        self.limit = Limit()
        self.paused_until = 0.0
        self.streams = Series()
        self.wholes = Series()


class Board:
    """Records by `endpoint:…`, `credential:…` and `model:…`. One a process; it outlives a configuration."""

    def __init__(self, policy: HealthPolicy) -> None:
        self.policy = policy
        self._records: dict[str, _Record] = {}
        self._troubled: set[str] = set()  # providers and labels that must be asked about

    def _record(self, key: str) -> _Record:
        found = self._records.get(key)
        if found is None:
            if len(self._records) >= RECORDS_MAX:
                self._records.pop(next(iter(self._records)))
            found = self._records[key] = _Record(self.policy.breaker)
        return found

    def _behind(self, card: Card) -> tuple[_Record, _Record, _Record]:
        return (
            self._record(f"endpoint:{card.provider}"),
            self._record(f"credential:{card.provider}"),
            self._record(card.label),
        )

    def forget(self) -> None:
        """Close every breaker and lift every pause; what is known of times and of calls in flight stays."""
        for record in self._records.values():
            record.breaker = Breaker(self.policy.breaker)
            record.slow = Breaker(self.policy.breaker)
            record.paused_until = 0.0
            record.limit.lift()
        self._troubled.clear()

    # -- before an attempt

    def well(self, card: Card) -> bool:
        """Nothing at all is held against it: the common case, and cheap."""
        troubled = self._troubled
        return not troubled or (card.label not in troubled and card.provider not in troubled)

    def pick(self, cards: Sequence[Card], now: float) -> tuple[int, bool]:
        """Whom to ask of these: the first who may be asked, and true; or the likeliest to have recovered, and false.

        To be picked by a probe is to be the probe, so the picked card must be asked.
        """
        if not self._troubled:
            return 0, True
        for index, card in enumerate(cards):
            if self.well(card) or self._admits(card, now):
                return index, True
        return min(range(len(cards)), key=lambda index: self._due(cards[index], now)), False

    def _admits(self, card: Card, now: float) -> bool:
        """Every record says yes; where one wants a probe, this attempt is it. Tidies up what has healed."""
        records = self._behind(card)
        probes = []
        calm = True
        for record in records:
            if now < record.paused_until or record.limit.full:
                return False
            for breaker in (record.breaker, record.slow):
                if breaker.calm:
                    continue
                calm = False
                admission = breaker.admission(now)
                if admission == "no":
                    return False
                if admission == "probe":
                    probes.append(breaker)
            calm = calm and record.limit.value >= 1_000 and record.paused_until <= now
        for breaker in probes:
            breaker.probing(now)
        if calm:
            self._troubled.discard(card.label)
            if all(record.breaker.calm for record in records[:2]):
                self._troubled.discard(card.provider)
        return True

    def _due(self, card: Card, now: float) -> float:
        """When it may be asked again: the latest of all that stands in the way."""
        due = 0.0
        for record in self._behind(card):
            due = max(due, record.paused_until)
            for breaker in (record.breaker, record.slow):
                if breaker.state == "open":
                    due = max(due, breaker.open_until)
                elif breaker.state == "probation":
                    due = max(due, now)
        return due

    def began(self, card: Card) -> None:
        self._record(card.label).limit.in_flight += 1

    # -- after it

    def succeeded(self, card: Card, ms: float, streamed: bool, now: float) -> None:
        """It committed `ms` after it was asked."""
        record = self._record(card.label)
        record.limit.in_flight -= 1
        series = record.streams if streamed else record.wholes
        if self.well(card):
            series.add(ms)
            record.breaker.succeeded(now)
            if ms > SLOW_FLOOR_MS and self.policy.slow_factor and series.is_slow(self.policy.slow_factor):
                self._call_slow(card, record, now)
            return
        for one in self._behind(card):
            one.breaker.succeeded(now)
            one.limit.succeeded()
        series.add(ms, learn=record.slow.state == "closed")
        self._judge_speed(card, record, series, ms, now)

    def _call_slow(self, card: Card, record: _Record, now: float) -> None:
        record.slow.open(now)
        self._troubled.add(card.label)

    def _judge_speed(self, card: Card, record: _Record, series: Series, ms: float, now: float) -> None:
        factor = self.policy.slow_factor
        if not factor:
            return
        if record.slow.state == "closed":
            if series.is_slow(factor):
                self._call_slow(card, record, now)
        elif series.usual_ms is None or ms <= series.usual_ms * factor / 2 or ms < 100.0:
            record.slow.succeeded(now)
        elif record.slow.opened >= ACCEPT_SLOW_AFTER:
            series.forget()
            record.slow.close(now)
            record.slow.opened = 0
        else:
            record.slow.open(now)

    def compare(self, card: Card, twins: Iterable[Card], streamed: bool, now: float) -> None:
        """Judge a card by other deployments of the same model, where their times are known."""
        record = self._records.get(card.label)
        if record is None or not self.policy.slow_factor or record.slow.state != "closed":
            return
        series = record.streams if streamed else record.wholes
        for twin in twins:
            other = self._records.get(twin.label)
            if other is None or other is record:
                continue
            seen = other.streams if streamed else other.wholes
            if seen.recent_ms is not None and series.is_slow(self.policy.slow_factor, seen.recent_ms):
                self._call_slow(card, record, now)
                return

    def failed(self, card: Card, failure: Failure, now: float) -> None:
        """An attempt ended with a failure before its commit point."""
        self._record(card.label).limit.in_flight -= 1
        self._blame(card, failure, now, late=False)

    def broke(self, card: Card, failure: Failure, now: float) -> None:
        """A reply failed after it had begun."""
        self._blame(card, failure, now, late=True)

    def abandoned(self, card: Card) -> None:
        """An attempt was cancelled: that says nothing of anybody."""
        self._record(card.label).limit.in_flight -= 1
        if not self.well(card):
            for record in self._behind(card):
                record.breaker.abandoned()
                record.slow.abandoned()

    def _blame(self, card: Card, failure: Failure, now: float, *, late: bool) -> None:
        health, kind = failure.row.health, failure.kind
        if health == "none":
            if not self.well(card):  # an answer all the same: it is alive
                for record in self._behind(card):
                    record.breaker.abandoned()
                    record.slow.abandoned()
            return
        if kind in _OF_ENDPOINT:
            key, mark = f"endpoint:{card.provider}", card.provider
        elif health == "credential" and kind not in _OF_MODEL:
            key, mark = f"credential:{card.provider}", card.provider
        else:
            key, mark = card.label, card.label
        record = self._record(key)
        in_a_row = health != "soft"
        if late:
            record.breaker.belied(now, in_a_row=in_a_row)
        else:
            record.breaker.failed(now, in_a_row=in_a_row)
        if health == "credential" and kind not in _OF_MODEL and record.breaker.state == "closed":
            record.breaker.open(now, _CREDENTIAL_OPEN_S)  # a key that was refused once is refused always
        if kind in _TOO_MUCH:
            record.limit.overloaded()
        if failure.retry_after_s is not None and kind in _TOO_MUCH:
            record.paused_until = max(record.paused_until, now + min(failure.retry_after_s, PAUSE_S_MAX))
        if not record.breaker.calm or record.paused_until > now or record.limit.value < 1_000:
            self._troubled.add(mark)

    # -- what others want to know

    def hedge_after_s(self, card: Card, streamed: bool) -> float | None:
        """The model's own 95th percentile to first content; `None` until enough was seen."""
        record = self._records.get(card.label)
        if record is None:
            return None
        p95 = (record.streams if streamed else record.wholes).p95
        if p95 is None:
            return None
        return min(max(p95, self.policy.hedge_ms_min), self.policy.hedge_ms_max) / 1000

    def observed(self, card: Card, streamed: bool) -> tuple[float, float] | None:
        """Median and 95th percentile to first content, ms; `None` before `SAMPLES_FOR_QUANTILES` samples."""
        record = self._records.get(card.label)
        series = None if record is None else (record.streams if streamed else record.wholes)
        if series is None or series.p50 is None or series.p95 is None:
            return None
        return series.p50, series.p95

    def sick(self, cards: Iterable[Card]) -> frozenset[str]:
        """Labels of those that are open now; asks nothing and changes nothing."""
        if not self._troubled:
            return frozenset()
        return frozenset(
            card.label
            for card in cards
            if not self.well(card)
            and any(
                breaker.state != "closed"
                for record in self._behind(card)
                for breaker in (record.breaker, record.slow)
            )
        )

    def standings(self, now: float) -> Mapping[str, Standing]:
        return {
            key: Standing(
                key,
                one.breaker.state if one.slow.state == "closed" else "slow",
                one.breaker.opened + one.slow.opened,
                one.limit.in_flight,
                one.limit.value,
                max(0.0, one.paused_until - now),
                one.streams.usual_ms or one.wholes.usual_ms,
                one.streams.p95 or one.wholes.p95,
            )
            for key, one in self._records.items()
        }


__all__ = ["SAMPLES_FOR_QUANTILES", "Board", "HealthPolicy", "Standing"]
