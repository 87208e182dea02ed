"""Rules about the order of turns in the Anthropic API, in its own words."""

from __future__ import annotations

from typing import Any

from turnout.sim.ask import SimError


def bad(message: str) -> SimError:
    return SimError(400, "invalid_request_error", message)


def check_turns(messages: list[Any]) -> None:
    """The first turn is the user's, every call is answered in the next turn, nothing else is. Raises `SimError`."""
    if isinstance(messages[0], dict) and messages[0].get("role") == "assistant":
        raise bad('messages: first message must use the "user" role')
    called: list[str] = []
    for number, message in enumerate(messages):
        role = _role(message)
        if role == "system":
            raise bad(
                'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
                'not "system" as an input message role.'
            )
        if number and role == _role(messages[number - 1]):
            continue  # part of the turn before it
        turn = _turn(messages, number)
        _check_answers(number, called, _ids(turn, "tool_result", "tool_use_id"))
        called = _ids(turn, "tool_use", "id")
    if called:
        _check_answers(len(messages), called, [])
    last = messages[-1]
    if _role(last) == "assistant" and _ends_in_space(last):
        raise bad("messages: final assistant content cannot end with trailing whitespace")


def check_thinking_first(messages: list[Any]) -> None:
    """With thinking on, the turn whose calls are being answered begins with its thinking. Raises `SimError`."""
    number = len(messages) - 1
    if number < 1 or not _ids(_blocks(messages[number]), "tool_result", "tool_use_id"):
        return
    while number > 0 and _role(messages[number]) == "user":
        number -= 1
    first = _blocks(messages[number])[:1]
    kind = first[0].get("type") if first else None
    if kind not in ("thinking", "redacted_thinking"):
        raise bad(
            f"messages.{number}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{kind}`. When `thinking` is enabled, "
            "a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
        )


def _turn(messages: list[Any], number: int) -> list[dict[str, Any]]:
    """The blocks from message `number` on, as far as its role reaches."""
    blocks: list[dict[str, Any]] = []
    for message in messages[number:]:
        if _role(message) != _role(messages[number]):
            break
        blocks += _blocks(message)
    return blocks


def _check_answers(number: int, called: list[str], answered: list[str]) -> None:
    missing = [one for one in called if one not in answered]
    if missing:
        raise bad(
            f"messages.{number - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}. "
            "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        )
    for one in answered:
        if one not in called:
            raise bad(
                f"messages.{number}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {one}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )


def _role(message: Any) -> object:
    return message.get("role") if isinstance(message, dict) else None


def _blocks(message: Any) -> list[dict[str, Any]]:
    content = message.get("content") if isinstance(message, dict) else None
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _ids(blocks: list[dict[str, Any]], kind: str, name: str) -> list[str]:
    return [str(block.get(name)) for block in blocks if block.get("type") == kind]


def _ends_in_space(message: dict[str, Any]) -> bool:
    content = message.get("content")
    if isinstance(content, list) and content and isinstance(content[-1], dict):
        content = content[-1].get("text")
    return isinstance(content, str) and content != content.rstrip()
