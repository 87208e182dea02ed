"""The Anthropic wire format: requests to an `Ask`, what was said to messages and event streams, thinking with its signatures."""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

from msgspec import Struct

from turnout.sim import tokens
from turnout.sim.anthropic_turns import bad, check_thinking_first, check_turns
from turnout.sim.ask import Ask, Offered, Result, SimError
from turnout.sim.models import SimModel
from turnout.sim.reading import picture, want

THINKING_TOKENS_MIN = 1024
ADAPTIVE_ONLY = frozenset({"claude-opus-5-5", "claude-sonnet-5-5"})
REDACTED_TRIGGER = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB"


# Names that begin with `x_` pass too, so that tests can send something unheard of.
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FIELDS = frozenset(
    "cache_control container context_management inference_geo max_tokens mcp_servers messages metadata model output_config output_format "
    "service_tier speed stop_sequences stream system temperature thinking tool_choice tools top_k top_p".split()
)


class Breakpoint(Struct):
    """A prompt-cache mark: everything before it in the prompt, and for how long."""

    prefix: str
    ttl: str


class Wants(Struct):
    stream: bool
    breakpoints: list[Breakpoint]
    redact: bool


def signature(seed: int, thought: str) -> str:
    """The proof that a thought is this simulation's own."""
    return b64encode(hmac.new(f"sim-{seed}".encode(), thought.encode(), sha256).digest() * 3).decode()


def _is_signed(block: dict[str, Any], seed: int) -> bool:
    given = str(block.get("signature")).encode()
    return hmac.compare_digest(given, signature(seed, str(block.get("thinking"))).encode())


# -- requests
class _Reader:
    """Walks a request in order, so that cache marks know what came before them."""

    def __init__(self, ask: Ask, seed: int) -> None:
        self.ask = ask
        self.seed = seed
        self.parts: list[str] = []
        self.breakpoints: list[Breakpoint] = []

    def add(self, text: str, block: Any = None) -> None:
        self.parts.append(text)
        mark = block.get("cache_control") if isinstance(block, dict) else None
        if isinstance(mark, dict):
            if mark.get("ttl", "5m") not in ("5m", "1h"):
                raise bad("cache_control.ttl: Input should be '5m' or '1h'")
            self.breakpoints.append(Breakpoint("\n".join(self.parts), str(mark.get("ttl", "5m"))))
            if len(self.breakpoints) > 4:
                raise bad("A maximum of 4 blocks with cache_control may be provided.")


def read(data: dict[str, Any], model: SimModel, seed: int, *, counting: bool = False) -> tuple[Ask, Wants]:
    """Raises `SimError`."""
    messages = _field(data, "messages", (list,))
    if not messages:
        raise bad(
            "messages: at least one message is required" if messages == [] else "messages: Field required"
        )
    for name in data:
        if name not in _FIELDS and not name.startswith("x_"):
            raise bad(f"{name}: Extra inputs are not permitted")
    longest = _field(data, "max_tokens", (int,), 1)
    if longest is not None and longest > model.max_output:
        raise bad(
            f"max_tokens: {longest} > {model.max_output}, which is the maximum allowed number of output tokens for {model.id}"
        )
    if longest is None and not counting:
        raise bad("max_tokens: Field required")
    _field(data, "temperature", (int, float), 0, 1)
    _field(data, "top_p", (int, float), 0, 1)
    _field(data, "top_k", (int,), 0)
    if model.id in ADAPTIVE_ONLY:
        _check_adaptive(data)
    if data.get("temperature") is not None and data.get("top_p") is not None:
        raise bad("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    check_turns(messages)
    ask = Ask(model.id, "", "", max_tokens=longest)
    reader = _Reader(ask, seed)
    _tools(reader, data)
    _system(reader, data.get("system"))
    for number, message in enumerate(messages):
        _message(reader, message, number)
    ask.stop = [text for text in _field(data, "stop_sequences", (list,)) or [] if isinstance(text, str)]
    _thinking(ask, data)
    if ask.think:
        check_thinking_first(messages)
    config = _field(data, "output_config", (dict,)) or {}
    wanted = config.get("format") or data.get("output_format")
    if wanted is not None:
        if not isinstance(wanted, dict) or wanted.get("type") != "json_schema" or "schema" not in wanted:
            raise bad("output_config.format: Input should be a json_schema with a schema")
        ask.schema = wanted["schema"]
    if isinstance(data.get("cache_control"), dict):
        reader.add("", {"cache_control": data["cache_control"]})
    ask.transcript = "\n".join(reader.parts)
    ask.prompt_tokens = tokens.count(ask.transcript) + 4 * len(messages)
    redact = REDACTED_TRIGGER in ask.question
    return ask, Wants(bool(_field(data, "stream", (bool,))), reader.breakpoints, redact)


def _check_adaptive(data: dict[str, Any]) -> None:
    """Models that think as much as they see fit: no budget, and no sampling."""
    if isinstance(data.get("thinking"), dict) and data["thinking"].get("type") == "enabled":
        raise bad(
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        )
    for name in ("temperature", "top_p", "top_k"):
        if data.get(name) not in (None, 1):
            raise bad(f"`{name}` is not supported for this model.")


def _field(
    data: dict[str, Any],
    name: str,
    kinds: tuple[type, ...],
    low: float | None = None,
    high: float | None = None,
) -> Any:
    try:
        return want(data, name, kinds, low, high)
    except SimError as problem:
        raise bad(f"{name}: {problem.message}") from None


def _system(reader: _Reader, system: Any) -> None:
    if system is None:
        return
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
    if not isinstance(blocks, list):
        raise bad("system: Input should be a valid string or list")
    for number, block in enumerate(blocks):
        if not isinstance(block, dict) or not isinstance(block.get("text"), str):
            raise bad(f"system.{number}.text: Field required")
        if not block["text"]:
            raise bad(f"system.{number}: text content blocks must be non-empty")
        reader.ask.system += block["text"]
        reader.add(block["text"], block)


def _message(reader: _Reader, message: Any, number: int) -> None:
    where = f"messages.{number}"
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ("user", "assistant", "system"):
        raise bad(f"{where}.role: Input should be 'user' or 'assistant'")
    content = message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list):
        raise bad(f"{where}.content: Input should be a valid string or list")
    if not blocks or blocks == [{"type": "text", "text": ""}]:
        raise bad(f"{where}: all messages must have non-empty content")
    if role == "user":
        reader.ask.question, reader.ask.results, reader.ask.pictures = "", [], []
    for position, block in enumerate(blocks):
        _block(reader, block, role, f"{where}.content.{position}")


def _block(reader: _Reader, block: Any, role: str, where: str) -> None:
    ask = reader.ask
    kind = block.get("type") if isinstance(block, dict) else None
    text = ""
    if kind == "text":
        if not isinstance(block.get("text"), str):
            raise bad(f"{where}.text: Field required")
        if not block["text"].strip():
            raise bad(f"{where}: text content blocks must contain non-whitespace text")
        text = block["text"]
        if role == "user":
            ask.question += text
    elif kind == "image":
        ask.pictures.append(_image(block.get("source"), where))
    elif kind == "document":
        text = str(_mapping(block.get("source"), f"{where}.source").get("data") or "")[:100_000]
    elif kind == "tool_use":
        if not isinstance(block.get("input"), dict):
            raise bad(f"{where}.tool_use.input: Input should be a valid dictionary")
        text = json.dumps(block["input"])
    elif kind == "tool_result":
        text = _result_text(block.get("content"), f"{where}.tool_result.content")
        ask.results.append(Result(str(block.get("tool_use_id")), text))
    elif kind == "thinking":
        if not _is_signed(block, reader.seed):
            raise bad(f"{where}: Invalid `signature` in `thinking` block")
    elif kind != "redacted_thinking":
        raise bad(f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    reader.add(f"{role}: {text}", block)


def _image(source: Any, where: str) -> str:
    if not isinstance(source, dict):
        raise bad(f"{where}.source: Field required")
    if source.get("type") == "base64":
        return picture(str(source.get("data")), str(source.get("media_type")))
    if source.get("type") == "url":
        return f"an image ({source.get('url')})"
    raise bad(f"{where}.source.type: Input should be 'base64' or 'url'")


def _mapping(value: Any, where: str) -> dict[str, Any]:
    """Absent is empty. Raises `SimError`."""
    if value is not None and not isinstance(value, dict):
        raise bad(f"{where}: Input should be a valid dictionary")
    return value or {}


def _result_text(content: Any, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise bad(f"{where}: Input should be a valid string or list")
    return "".join(str(block.get("text") or "") for block in content if isinstance(block, dict))


def _tools(reader: _Reader, data: dict[str, Any]) -> None:
    ask = reader.ask
    for number, tool in enumerate(_field(data, "tools", (list,)) or []):
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            raise bad(f"tools.{number}.name: Field required")
        if tool.get("type") in (None, "custom") and not _TOOL_NAME.fullmatch(tool["name"]):
            raise bad(f"tools.{number}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        schema = _mapping(tool.get("input_schema"), f"tools.{number}.custom.input_schema")
        if tool.get("type") in (None, "custom") and schema.get("type") != "object":
            raise bad(f"tools.{number}.custom.input_schema.type: Input should be 'object'")
        ask.tools.append(Offered(tool["name"], str(tool.get("description") or ""), schema))
        reader.add(json.dumps(tool.get("input_schema")) + str(tool.get("description")), tool)
    choice = _field(data, "tool_choice", (dict,))
    if choice is None:
        return
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise bad("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    ask.choice = {"auto": "auto", "any": "required", "tool": "named", "none": "none"}[kind]  # type: ignore[assignment]
    ask.named = str(choice.get("name"))
    ask.parallel = choice.get("disable_parallel_tool_use") is not True
    if kind == "tool" and ask.named not in {tool.name for tool in ask.tools}:
        raise bad(f"Tool '{ask.named}' not found in provided tools")


def _thinking(ask: Ask, data: dict[str, Any]) -> None:
    thinking = _field(data, "thinking", (dict,))
    if thinking is None or thinking.get("type") == "disabled":
        return
    if thinking.get("type") not in ("enabled", "adaptive"):
        raise bad("thinking.type: Input should be 'enabled', 'disabled' or 'adaptive'")
    if thinking["type"] == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < THINKING_TOKENS_MIN:
            raise bad(
                f"thinking.enabled.budget_tokens: Input should be greater than or equal to {THINKING_TOKENS_MIN}"
            )
        if ask.max_tokens is not None and budget >= ask.max_tokens:
            raise bad("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if data.get("temperature") not in (None, 1, 1.0):
        raise bad("`temperature` may only be set to 1 when thinking is enabled.")
    if ask.choice in ("required", "named"):
        raise bad("Thinking may not be enabled when tool_choice forces tool use.")
    ask.think = True
