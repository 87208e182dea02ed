"""Which counts include which, where providers differ."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw
from msgspec.json import encode

from turnout.core.events import Usage
from turnout.wire.openai_chat.usage import read_usage


@pytest.mark.parametrize(
    ("more", "usage"),
    [
        # Portkey: the total is the sum of all classes, so the prompt is beside them
        (
            {"total_tokens": 1610, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 500},
            Usage(input=100, cache_read=1000, cache_write_5m=500, output=10),
        ),
        (
            {
                "total_tokens": 1610,
                "prompt_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 500},
            },
            Usage(input=100, cache_read=1000, cache_write_5m=500, output=10),
        ),
        (
            {"total_tokens": 1110, "prompt_tokens_details": {"cached_tokens": 1000}},
            Usage(input=100, cache_read=1000, output=10),
        ),
        ({"total_tokens": 150, "cached_tokens": 40}, Usage(input=100, cache_read=40, output=10)),
        # the prompt includes them
        ({"total_tokens": 110, "cached_tokens": 40}, Usage(input=60, cache_read=40, output=10)),
        # what only the total knows of is output
        ({"total_tokens": 160, "cached_tokens": 40}, Usage(input=60, cache_read=40, output=60)),
        ({"total_tokens": 160}, Usage(input=100, output=60)),
    ],
)
def test_prompt_and_cache(more: dict[str, Any], usage: Usage) -> None:
    assert read_usage(Raw(encode({"prompt_tokens": 100, "completion_tokens": 10, **more}))) == usage
