"""The fidelity run as a test: all recordings through the codecs, a sample of them through a real gateway."""

from __future__ import annotations

import os

import pytest

from tests.fidelity import echoed, inprocess, throughgateway, translated
from tests.fidelity.codecs import skipped
from tests.fidelity.recordings import available
from tests.fidelity.report import PAGE, Outcome, explanations, problems

if not available() and os.environ.get("CI"):
    raise RuntimeError("the recordings are not here, and CI must run this: set TURNOUT_SHARED")
pytestmark = pytest.mark.skipif(not available(), reason="the recordings are not here: set TURNOUT_SHARED")


SAMPLE = 500
"""Recordings that go through a gateway here; `make fidelity` sends all."""


def tried(outcomes: list[Outcome], at_least: int, *, sample: bool = False) -> None:
    for line in skipped():
        print(line)
    assert len(outcomes) > at_least
    assert problems(outcomes, sample=sample) == []


def test_every_recording_through_the_codecs() -> None:
    tried(inprocess.outcomes(), 8000)


def test_every_request_for_a_provider_of_every_other_dialect() -> None:
    tried(translated.outcomes(), 10_000)


def test_every_reply_sent_back_by_a_client_of_every_other_dialect() -> None:
    tried(echoed.outcomes(), 4000)


def test_recordings_through_a_gateway() -> None:
    tried(throughgateway.outcomes(SAMPLE), 1000, sample=True)


def test_the_page_lists_what_is_explained() -> None:
    assert explanations() in PAGE.read_text(encoding="utf-8")
