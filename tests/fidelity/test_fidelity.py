"""The fidelity run as a test: all recordings through the codecs, a sample through a real gateway."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fidelity import echoed, inprocess, throughgateway, translated
from tests.fidelity.recordings import available
from tests.fidelity.report import page, problems

if not available() and os.environ.get("CI"):
    raise RuntimeError("the recordings are not here, and CI must run this: set TURNOUT_SHARED")
pytestmark = pytest.mark.skipif(not available(), reason="the recordings are not here: set TURNOUT_SHARED")


def test_every_recording_through_the_codecs() -> None:
    outcomes = inprocess.outcomes()
    assert len(outcomes) > 3000
    assert problems(outcomes) == []


def test_every_request_for_a_provider_of_the_other_dialect() -> None:
    outcomes = translated.outcomes()
    assert len(outcomes) > 1500
    assert problems(outcomes) == []


def test_every_reply_sent_back_by_a_client_of_the_other_dialect() -> None:
    outcomes = echoed.outcomes()
    assert len(outcomes) > 1300
    assert problems(outcomes) == []


def test_every_recording_through_a_gateway() -> None:
    outcomes = throughgateway.outcomes()
    assert len(outcomes) > 3000
    assert problems(outcomes) == []


def test_the_page_lists_what_is_explained() -> None:
    document = Path(__file__).parents[2] / "docs" / "fidelity.md"
    assert page() in document.read_text()
