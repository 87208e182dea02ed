"""Which refusals another candidate may not share."""

from __future__ import annotations

import pytest

from turnout.core.errors import Failure, Kind
from turnout.resilience.refusals import another_may_take, names_number

SAID = [
    "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for claude-haiku-4-5",
    "max_tokens is too large: 32000. This model supports at most 16384 completion tokens.",
    "temperature: Invalid value for 'temperature': 1.5 is out of range.",
    "Unable to submit request because it has a maxOutputTokens value of 100000 but the supported range is from 1 to 65537",
    "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
    "`top_p` cannot be specified for this model.",
]


@pytest.mark.parametrize("text", SAID)
def test_a_number_that_is_named(text: str) -> None:
    failure = Failure(Kind.UPSTREAM_BAD_REQUEST, text)
    assert names_number(failure)
    assert another_may_take(failure, chosen=False, translated=True)
    assert not another_may_take(failure, chosen=False, translated=False)


def test_other_refusals() -> None:
    failure = Failure(Kind.UPSTREAM_BAD_REQUEST, "messages: roles must alternate")
    assert not another_may_take(failure, chosen=False, translated=True)
    assert another_may_take(failure, chosen=True, translated=False)
    assert another_may_take(
        Failure(Kind.UPSTREAM_BAD_REQUEST, "Invalid value.", param="max_completion_tokens"),
        chosen=False,
        translated=True,
    )


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.UPSTREAM_BAD_REQUEST])
def test_other_kinds_have_their_own_row(kind: Kind) -> None:
    assert not another_may_take(Failure(kind, SAID[0]), chosen=True, translated=True)
