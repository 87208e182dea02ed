"""Requests per minute, per model, as a token bucket; and the headers in which providers tell about it.

At speed 0 time does not pass, so the models' own limits do not bind there; a limit that someone sets binds always.
"""

from __future__ import annotations

import math

from msgspec import Struct

from turnout.sim.models import SimModel, SimProvider

WINDOW_S = 60.0


class Verdict(Struct, frozen=True):
    """`wait_s` is None when the request may pass, else the time until one may. `left` counts requests."""

    limit: int
    left: int
    reset_s: float
    wait_s: float | None


class Limits:
    def __init__(self, *, binding: bool) -> None:
        self._binding = binding
        self._set: dict[str, int] = {}
        self._buckets: dict[str, tuple[float, float]] = {}

    def set(self, model: str, requests_per_minute: int) -> None:
        """From now on, starting with a full bucket."""
        self._set[model] = requests_per_minute
        self._buckets.pop(model, None)

    def take(self, model: SimModel, now_s: float) -> Verdict:
        """`now_s` is monotonic."""
        limit = self._set.get(model.id, model.requests_per_minute)
        level, at = self._buckets.get(model.id, (float(limit), now_s))
        level = min(float(limit), level + (now_s - at) * limit / WINDOW_S)
        wait = None
        if level >= 1:
            level -= 1
        elif self._binding or model.id in self._set:
            wait = (1 - level) * WINDOW_S / max(limit, 1)
        self._buckets[model.id] = (level, now_s)
        return Verdict(limit, int(level), (limit - level) * WINDOW_S / max(limit, 1), wait)


def headers(provider: SimProvider, verdict: Verdict) -> dict[str, str]:
    """In the provider's own names; Mistral, DeepSeek and Google tell nothing."""
    told = {}
    if provider.name in ("openai", "groq"):
        told = {
            "x-ratelimit-limit-requests": str(verdict.limit),
            "x-ratelimit-remaining-requests": str(verdict.left),
            "x-ratelimit-reset-requests": f"{verdict.reset_s:.3f}s",
        }
    elif provider.name == "anthropic":
        told = {
            "anthropic-ratelimit-requests-limit": str(verdict.limit),
            "anthropic-ratelimit-requests-remaining": str(verdict.left),
        }
    if verdict.wait_s is not None:
        told["retry-after"] = str(math.ceil(verdict.wait_s))
    return told
