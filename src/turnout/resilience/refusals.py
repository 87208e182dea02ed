"""Whether a provider's 400 is the last word: not where it is about something that Turnout decided.

Promise: a request that a caller wrote for the model that answered it is his, and so is its refusal. Where Turnout chose the model, whatever that
model refuses may be taken by another. Where Turnout translated the request, it is answerable for the numbers that it sent (a maximum, a
temperature), and only a refusal that names one is worth another try. Pure.
"""

from __future__ import annotations

import re

from turnout.core.errors import Failure, Kind

_NUMBER = re.compile(
    r"\b(?:max_?(?:completion_|output_|new_)?tokens|maxOutputTokens|temperature|top_?[pk]|(?:presence|frequency)_penalty|top_logprobs)\b",
    re.IGNORECASE,
)


def names_number(failure: Failure) -> bool:
    """Does the refusal speak of a number of the request?"""
    return _NUMBER.search(failure.param or "") is not None or _NUMBER.search(failure.message) is not None


def another_may_take(failure: Failure, *, chosen: bool, translated: bool) -> bool:
    """`chosen`: Turnout chose the model; `translated`: into a dialect that is not the caller's."""
    if failure.kind is not Kind.UPSTREAM_BAD_REQUEST:
        return False
    return chosen or (translated and names_number(failure))
