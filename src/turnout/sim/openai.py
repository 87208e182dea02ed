"""Requests in the OpenAI chat format, read with the real one's strictness into an `Ask`."""

from __future__ import annotations

import json
import re
from typing import Any

from turnout.sim import tokens
from turnout.sim.ask import Ask, Offered, Result
from turnout.sim.models import SimModel
from turnout.sim.openai_replies import Wants
from turnout.sim.reading import bad, picture, want

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_DATA_URL = re.compile(r"data:(image/[\w.+-]+);base64,", re.IGNORECASE)
N_MAX = 8


def read(data: dict[str, Any], model: SimModel) -> tuple[Ask, Wants]:
    """Raises `SimError`."""
    messages = want(data, "messages", (list,))
    if not messages:
        raise bad("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    want(data, "temperature", (int, float), 0, _TEMPERATURE_MAX.get(model.provider, 2))
    for name in ("presence_penalty", "frequency_penalty"):
        want(data, name, (int, float), -2, 2)
    want(data, "top_logprobs", (int,), 0, 20)
    want(data, "top_p", (int, float), 0, 1)
    want(data, "seed", (int,))
    ask = Ask(
        model.id,
        "",
        "",
        max_tokens=want(data, "max_completion_tokens", (int,), 1) or want(data, "max_tokens", (int,), 1),
    )
    _check_options(data, model)
    _check_calls(messages)
    for name in ("user", "prompt_cache_key", "safety_identifier"):
        _check_length(data.get(name), name, 64)
    if model.provider == "mistral":
        _check_system_first(messages)
    transcript = [_message(ask, message, number) for number, message in enumerate(messages)]
    ask.transcript = "\n".join(transcript)
    stop = want(data, "stop", (str, list))
    ask.stop = [stop] if isinstance(stop, str) else [text for text in stop or [] if isinstance(text, str)]
    _tools(ask, data)
    _format(ask, want(data, "response_format", (dict,)))
    ask.think = model.thinking != "none" and data.get("reasoning_effort") != "none"
    ask.prompt_tokens = (
        tokens.count(ask.transcript) + 4 * len(messages) + tokens.count(json.dumps(data.get("tools") or ""))
    )
    options = want(data, "stream_options", (dict,)) or {}
    stream = bool(want(data, "stream", (bool,)))
    if options and not stream:
        raise bad(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options"
        )
    return ask, Wants(
        stream, bool(options.get("include_usage")), min(want(data, "n", (int,), 1, N_MAX) or 1, N_MAX)
    )


def _message(ask: Ask, message: Any, number: int) -> str:
    where = f"messages[{number}]"
    if not isinstance(message, dict) or message.get("role") not in (
        "system",
        "developer",
        "user",
        "assistant",
        "tool",
        "function",
    ):
        role = message.get("role") if isinstance(message, dict) else message
        raise bad(
            f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
            f"{where}.role",
            "invalid_value",
        )
    role, text = message["role"], _text(ask, message.get("content"), where, message["role"])
    if role == "user":
        ask.question, ask.results = text, []
    elif role in ("system", "developer"):
        ask.system += text
    elif role == "tool":
        if not isinstance(message.get("tool_call_id"), str):
            raise bad(
                "Missing required parameter: 'tool_call_id'.",
                f"{where}.tool_call_id",
                "missing_required_parameter",
            )
        ask.results.append(Result(message["tool_call_id"], text))
    elif message.get("content") is None and not message.get("tool_calls") and not message.get("refusal"):
        raise bad(
            "Invalid value for 'content': expected a string, got null.", f"{where}.content", "invalid_type"
        )
    return f"{role}: {text} {json.dumps(message.get('tool_calls') or '')}"


def _text(ask: Ask, content: Any, where: str, role: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise bad(
            "Invalid type for 'content': expected one of a string or array of objects.",
            f"{where}.content",
            "invalid_type",
        )
    out = []
    if role == "user":
        ask.pictures = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "refusal"):
            out.append(str(part.get("text") or part.get("refusal") or ""))
        elif kind == "image_url" and isinstance(part.get("image_url"), dict):
            url = str(part["image_url"].get("url"))
            match = _DATA_URL.match(url)
            ask.pictures.append(picture(url[match.end() :], match[1]) if match else f"an image ({url})")
        elif kind == "file":
            out.append(f"[file {(want(part, 'file', (dict,)) or {}).get('filename') or ''}]")
        elif kind == "input_audio":
            out.append("[audio]")
        else:
            raise bad(
                f"Invalid value: '{kind}'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', and 'file'.",
                f"{where}.content",
                "invalid_value",
            )
    return "".join(out)


def _tools(ask: Ask, data: dict[str, Any]) -> None:
    for number, tool in enumerate(want(data, "tools", (list,)) or []):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise bad(
                f"Missing required parameter: 'tools[{number}].function'.",
                f"tools[{number}].function",
                "missing_required_parameter",
            )
        _check_length(function["name"], f"tools[{number}].function.name", 64)
        if not _TOOL_NAME.fullmatch(function["name"]):
            raise bad(
                f"Invalid 'tools[{number}].function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                f"tools[{number}].function.name",
                "invalid_value",
            )
        schema = want(function, "parameters", (dict,)) or {}
        ask.tools.append(Offered(function["name"], str(function.get("description") or ""), schema))
    choice = want(data, "tool_choice", (str, dict))
    if choice is not None and not ask.tools:
        raise bad("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if isinstance(choice, dict):
        ask.choice, ask.named = "named", str((want(choice, "function", (dict,)) or {}).get("name"))
        if ask.named not in {tool.name for tool in ask.tools}:
            raise bad(f"Tool choice '{ask.named}' not found in 'tools' parameter.", "tool_choice")
    elif choice is not None:
        if choice not in ("auto", "none", "required", "any"):
            raise bad(
                f"Invalid value: '{choice}'. Supported values are: 'none', 'auto', and 'required'.",
                "tool_choice",
                "invalid_value",
            )
        ask.choice = "required" if choice == "any" else choice
    parallel = want(data, "parallel_tool_calls", (bool,))
    ask.parallel = parallel is not False


def _format(ask: Ask, wanted: dict[str, Any] | None) -> None:
    if wanted is None:
        return
    kind = wanted.get("type")
    if kind == "json_schema":
        schema = wanted.get("json_schema")
        if not isinstance(schema, dict) or not schema.get("name"):
            raise bad(
                "Missing required parameter: 'response_format.json_schema.name'.",
                "response_format.json_schema.name",
                "missing_required_parameter",
            )
        ask.schema = want(schema, "schema", (dict,)) or {}
    elif kind == "json_object":
        if "json" not in ask.transcript.lower():
            raise bad(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                "messages",
            )
        ask.any_json = True
    elif kind != "text":
        raise bad(
            f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', and 'text'.",
            "response_format.type",
            "invalid_value",
        )


_FIELDS = {
    "openai": frozenset(
        "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages metadata modalities "
        "model moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort "
        "response_format safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools top_logprobs "
        "top_p user verbosity web_search_options".split()
    ),
    "mistral": frozenset(
        "frequency_penalty guardrails max_tokens messages metadata model n parallel_tool_calls prediction presence_penalty prompt_cache_key "
        "prompt_mode random_seed reasoning_effort response_format safe_prompt stop stream stream_options temperature tool_choice tools top_p".split()
    ),
}
_TEMPERATURE_MAX = {"mistral": 1.5}
_TOO_MUCH = {
    "openai": "max_tokens is too large: {limit}. This model supports at most {most} completion tokens, whereas you provided {limit}.",
    "groq": "`max_tokens` must be less than or equal to `{most}`, the maximum value for `max_tokens` is less than the `context_window` for this model",
    "deepseek": "Invalid max_tokens value, the valid range of max_tokens is [1, {most}]",
}
"""How much is asked for at most, by those who refuse more; others give what they have."""
_NOT_FOR_REASONING = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}


def _check_options(data: dict[str, Any], model: SimModel) -> None:
    """What a provider or a model does not take. Names that begin with `x_` pass, so that tests can send something unheard of."""
    known = _FIELDS.get(model.provider)
    for name in data if known else ():
        if name not in known and not name.startswith("x_"):  # type: ignore[operator]
            raise bad(
                f"Unrecognized request argument supplied: {name}",
                name,
                "missing_required_parameter" if model.provider == "mistral" else None,
            )
    if model.provider == "openai" and model.thinking == "hidden":
        _check_reasoning_options(data)
    limit = data.get("max_completion_tokens") or data.get("max_tokens") or 0
    if limit > model.max_output and model.provider in _TOO_MUCH:
        text = _TOO_MUCH[model.provider].format(limit=limit, most=model.max_output)
        raise bad(text, "max_tokens", "invalid_value")


def _check_reasoning_options(data: dict[str, Any]) -> None:
    if data.get("max_tokens") is not None:
        raise bad(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )
    if data.get("stop") is not None:
        raise bad(
            "Unsupported parameter: 'stop' is not supported with this model.", "stop", "unsupported_parameter"
        )
    for name, default in _NOT_FOR_REASONING.items():
        value = data.get(name)
        if value is not None and value != default:
            raise bad(
                f"Unsupported value: '{name}' does not support {value} with this model. Only the default ({default}) value is supported.",
                name,
                "unsupported_value",
            )


def _check_calls(messages: list[Any]) -> None:
    """Every call is answered at once, and nothing is answered that was not called."""
    waiting: set[str] = set()
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            continue
        if message.get("role") == "tool":
            if str(message.get("tool_call_id")) not in waiting:
                raise bad(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                    f"messages.[{number}].role",
                )
            waiting.discard(str(message.get("tool_call_id")))
            continue
        _check_answered(waiting, number)
        made = want(message, "tool_calls", (list,)) or []
        for position, call in enumerate(made):
            if isinstance(call, dict):
                _check_length(call.get("id"), f"messages[{number}].tool_calls[{position}].id", 40)
        waiting = {str(call.get("id")) for call in made if isinstance(call, dict)}
    _check_answered(waiting, len(messages))


def _check_length(value: Any, where: str, longest: int) -> None:
    if isinstance(value, str) and len(value) > longest:
        raise bad(
            f"Invalid '{where}': string too long. Expected a string with maximum length {longest}, but got a string with length {len(value)} instead.",
            where,
            "string_above_max_length",
        )


def _check_system_first(messages: list[Any]) -> None:
    """As the chat templates of open models have it: one system message, before everybody else's."""
    roles = [message.get("role") for message in messages if isinstance(message, dict)]
    if "system" in roles[1:]:
        before = roles[roles.index("system", 1) - 1]
        raise bad(f"Unexpected role 'system' after role '{before}'", "messages")


def _check_answered(waiting: set[str], number: int) -> None:
    if waiting:
        raise bad(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
            f"The following tool_call_ids did not have response messages: {', '.join(sorted(map(str, waiting)))}",
            f"messages.[{number}].role",
        )
