"""How long a model takes to its first content: a bounded memory of what was seen, and whether it has changed for the worse.

Promise: quantiles of the last `SAMPLES_KEPT` times, recomputed every few samples and not at every request; a usual time (`usual_ms`)
that follows slowly, so that a model which becomes ten times slower within a minute is told apart from one that always was slow.
Comparing a model with its own past is the only fair comparison between models that differ: a large model is not sick
because a small one is faster. Two deployments of the same model may be compared with each other; the caller says which are.

Pure: time does not occur, samples are an argument. Milliseconds throughout.
"""

from __future__ import annotations

import math

SAMPLES_KEPT = 128
RECENT = 5
RECOMPUTED_EVERY = 8
SAMPLES_FOR_QUANTILES = 20
STEP_FIRST = 0.2  # of the usual time's logarithm, a sample
STEP_LAST = 0.01
SLOW_FLOOR_MS = 150.0  # nobody is called slow for less


class Series:
    """First-content times of one model, streamed or not: the two are kept apart by the caller."""

    __slots__ = ("_at", "_recent", "_samples", "_since", "p50", "p95", "seen", "usual_ms")

    def __init__(self) -> None:
        self._samples: list[float] = []
        self._recent: list[float] = []
        self._at = 0
        self._since = 0
        self.seen = 0
        self.p50: float | None = None
        self.p95: float | None = None
        self.usual_ms: float | None = None

    def add(self, ms: float, *, learn: bool = True) -> None:
        """`learn`: false while the model is known to be in trouble; its usual time then stays what it was."""
        self.seen += 1
        self._recent.append(ms)
        if len(self._recent) > RECENT:
            del self._recent[0]
        if not learn:
            return
        if len(self._samples) < SAMPLES_KEPT:
            self._samples.append(ms)
        else:
            self._samples[self._at] = ms
            self._at = (self._at + 1) % SAMPLES_KEPT
        self._follow(ms)
        self._since += 1
        kept = len(self._samples)
        if kept >= SAMPLES_FOR_QUANTILES and self._since >= max(RECOMPUTED_EVERY, kept // 4):
            self._since = 0
            ordered = sorted(self._samples)
            self.p50 = ordered[len(ordered) // 2]
            self.p95 = ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.95) - 1)]

    def _follow(self, ms: float) -> None:
        """A running median in the logarithm: steps of fixed size, so that no outlier moves it far."""
        if self.usual_ms is None:
            self.usual_ms = max(ms, 0.1)
            return
        step = max(STEP_LAST, STEP_FIRST / self.seen**0.5)
        self.usual_ms *= math.exp(step if ms > self.usual_ms else -step)

    @property
    def recent_ms(self) -> float | None:
        """Median of the last few, or `None` while there are too few."""
        if len(self._recent) < RECENT:
            return None
        return sorted(self._recent)[RECENT // 2]

    def is_slow(self, factor: float, reference_ms: float | None = None) -> bool:
        """The last few took `factor` times as long as usual, or as `reference_ms` if that is less."""
        recent = self.recent_ms
        known = [ms for ms in (self.usual_ms, reference_ms) if ms is not None]
        if recent is None or not known or self.seen < 2 * RECENT:
            return False
        return recent > max(SLOW_FLOOR_MS, factor * min(known))

    def forget(self) -> None:
        """Take the present for the usual: it has been so for long."""
        self.__init__()  # type: ignore[misc]
