"""Faults on demand: rules that a test or a person sets, matched against each request.

Kinds, with their arguments:

    status {status, retry_after?, message?,     the provider refuses        reset          closes without a word
            body?}
    hang                                        never answers               empty          a completion without content
    slow_first_token {ms}                       waits first                 html           an error page with status 502
    stall_after {chunks, pings}                 a stream stops moving       garbage        bytes that are no JSON
    cut_after {chunks, clean}                   a stream ends early         malformed_json half a JSON body
    error_event {chunks}                        an error inside a stream    wrong_content_type
    huge_header                                 a header of 128 KiB         no_http        bytes that are no HTTP
"""

from __future__ import annotations

import random
from typing import Any

import msgspec
from msgspec import Struct

from turnout.sim.ask import SimError

KINDS = frozenset(
    "status connect_reset huge_header no_http reset hang empty slow_first_token html stall_after garbage cut_after malformed_json error_event wrong_content_type".split()
)
RULES_MAX = 1000


class Fault(Struct):
    kind: str
    status: int = 500
    retry_after: int | None = None
    message: str | None = None
    body: str | None = None
    ms: int = 1000
    chunks: int = 3
    pings: bool = False
    clean: bool = False


class Match(Struct):
    model: str = "*"


class Rule(Struct):
    fault: Fault
    match: Match = msgspec.field(default_factory=Match)
    times: int | None = None
    probability: float = 1.0


class Faults:
    """The rules of one provider."""

    def __init__(self, seed: int) -> None:
        self.rules: list[Rule] = []
        self._random = random.Random(seed)

    def read(self, body: bytes) -> None:
        """Raises `ValueError` for a rule that makes no sense."""
        self.add(msgspec.json.decode(body, type=Rule))

    def add(self, rule: Rule) -> None:
        """Raises `ValueError` for a kind that there is not."""
        if rule.fault.kind not in KINDS:
            raise ValueError(f"no such fault: {rule.fault.kind}; there are {', '.join(sorted(KINDS))}")
        if len(self.rules) >= RULES_MAX:
            raise ValueError("too many rules")
        self.rules.append(rule)

    def pick(self, model: str, header: str | None) -> Fault | None:
        """The fault for a request: `x-sim-fault: kind[:argument]` wins over the rules. Raises `SimError`."""
        if header:
            return _from_header(header)
        for rule in self.rules:
            if rule.match.model in ("*", model) and self._random.random() < rule.probability:
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times <= 0:
                        self.rules.remove(rule)
                return rule.fault
        return None


def _from_header(header: str) -> Fault:
    kind, _, argument = header.partition(":")
    if kind not in KINDS:
        raise SimError(400, "invalid_request_error", f"x-sim-fault: no such fault: {kind}")
    fault = Fault(kind)
    if argument.isdigit():
        number = int(argument)
        fields: dict[str, Any] = {"status": "status", "slow_first_token": "ms"}
        setattr(fault, fields.get(kind, "chunks"), number)
    return fault
