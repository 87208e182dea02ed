"""Why a reply ended."""

from __future__ import annotations

import pytest

from turnout.wire.openai_responses.reasons import decode_stop


@pytest.mark.parametrize(
    ("status", "reason", "called", "expected"),
    [
        ("completed", "", False, "stop"),
        ("completed", "", True, "tool_use"),
        ("incomplete", "max_output_tokens", False, "length"),
        ("incomplete", "content_filter", False, "content_filter"),
        ("incomplete", "", False, "length"),
        ("incomplete", "", True, "length"),
        ("incomplete", "something new", False, "other"),
        ("cancelled", "", False, "other"),
    ],
)
def test_status_and_reason(status: str, reason: str, called: bool, expected: str) -> None:
    assert decode_stop(status, reason, called_tools=called).reason == expected
