"""What a chat completions request means."""

from __future__ import annotations

import json

import pytest

from turnout.core.model import OpaqueTool, Tool, ToolChoice
from turnout.wire.openai_chat.requests import decode_request


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools_are_the_only_ones(mode: str) -> None:
    allowed = [
        {"type": "function", "function": {"name": "f"}},
        {"type": "custom", "custom": {"name": "h"}},
        {"type": "function", "function": {"name": "nobody"}},
    ]
    tools = [{"type": "function", "function": {"name": name}} for name in ("e", "f", "h")]
    tools += [{"type": "custom", "custom": {"name": name}} for name in ("f", "h")]
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": tools,
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}},
    }
    request = decode_request(json.dumps(body).encode())
    assert request.tool_choice is not None and request.tool_choice == ToolChoice(request.tool_choice.mode)
    assert request.tool_choice.mode == mode
    function, custom = request.tools
    assert isinstance(function, Tool) and function.name == "f"
    assert isinstance(custom, OpaqueTool) and json.loads(bytes(custom.raw))["custom"] == {"name": "h"}
