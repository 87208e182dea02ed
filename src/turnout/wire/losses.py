"""The loss table: everything that cannot be carried from one dialect to another, and why.

An encoder that meets a canonical field it cannot express names it in `Encoded.dropped`; the caller is told
in the `x-turnout-dropped` header and a notice. A name that is not in this table is a defect: the contract suite
checks that what an encoder drops is declared, and that what is declared is really dropped. What is not here survives.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from turnout.core.model import DialectName


class Loss(Struct, frozen=True):
    """`field` is dropped when a request from any other dialect goes to a provider that speaks `target`."""

    target: DialectName
    field: str
    reason: str


LOSSES: tuple[Loss, ...] = (
    # -- to openai_chat
    Loss("openai_chat", "audio.reference", "audio is given by value"),
    Loss(
        "openai_chat",
        "cache_control",
        "caching is the provider's own affair, except where it takes the marks",
    ),
    Loss("openai_chat", "document.citations", "no such feature"),
    Loss("openai_chat", "document.context", "a file has a name and nothing else"),
    Loss("openai_chat", "document.url", "files are given by value"),
    Loss("openai_chat", "extras", "a top-level member that only the caller's own dialect understands"),
    Loss("openai_chat", "file_id", "a file's id means something to the provider that issued it only"),
    Loss("openai_chat", "image.text", "an image cannot be given as text"),
    Loss("openai_chat", "opaque", "a block that only its own dialect understands"),
    Loss("openai_chat", "reasoning", "the model does not reason"),
    Loss("openai_chat", "reasoning.budget_tokens", "told as a level of effort"),
    Loss("openai_chat", "reasoning.display", "no such parameter"),
    Loss("openai_chat", "reasoning.effort", "the highest level is `high` or `xhigh`"),
    Loss("openai_chat", "reasoning.history", "providers of this dialect do not take earlier reasoning back"),
    Loss("openai_chat", "reasoning.signature", "a proof that only the provider that made it can check"),
    Loss("openai_chat", "service_tier", "the tiers are the provider's own"),
    Loss("openai_chat", "tool_calls.signature", "a proof that another provider attached to a call"),
    Loss("openai_chat", "tool_results.is_error", "told in words"),
    Loss("openai_chat", "tool_results.media", "a tool message holds text; the rest follows as a user turn"),
    Loss("openai_chat", "tools.extras", "members of a tool that only the caller's own dialect understands"),
    Loss("openai_chat", "tools.opaque", "a tool that only its own provider runs"),
    Loss("openai_chat", "top_k", "no such parameter, except where the provider takes it"),
    # -- to anthropic
    Loss("anthropic", "audio", "the Messages API takes no audio"),
    Loss("anthropic", "document.media_type", "documents are PDF or plain text"),
    Loss("anthropic", "extras", "a top-level member that only the caller's own dialect understands"),
    Loss("anthropic", "file_id", "a file's id means something to the provider that issued it only"),
    Loss("anthropic", "frequency_penalty", "no such parameter"),
    Loss("anthropic", "image.detail", "no such parameter"),
    Loss("anthropic", "logprobs", "no such output"),
    Loss("anthropic", "max_tokens", "lowered to the model's largest output"),
    Loss("anthropic", "messages.name", "turns have no speaker's name"),
    Loss(
        "anthropic",
        "messages.system_position",
        "a system message inside the conversation moves to the system prompt",
    ),
    Loss("anthropic", "n", "one reply a request"),
    Loss("anthropic", "opaque", "a block that only its own dialect understands"),
    Loss("anthropic", "presence_penalty", "no such parameter"),
    Loss("anthropic", "prompt_cache_key", "caching is asked for with cache_control"),
    Loss("anthropic", "reasoning", "the model does not reason"),
    Loss("anthropic", "reasoning.forced_tool_choice", "thinking and a forced tool exclude each other"),
    Loss("anthropic", "reasoning.max_tokens", "max_tokens leaves no room for the smallest thinking budget"),
    Loss(
        "anthropic", "reasoning.tool_loop", "thinking cannot begin inside a tool loop that began without it"
    ),
    Loss("anthropic", "reasoning.unsigned", "thinking goes back to the provider that signed it only"),
    Loss("anthropic", "response_format.description", "an output schema has no description of its own"),
    Loss(
        "anthropic",
        "response_format.emulated",
        "asked for in words, because the model has no structured output",
    ),
    Loss("anthropic", "response_format.name", "an output schema has no name"),
    Loss("anthropic", "seed", "no such parameter"),
    Loss("anthropic", "service_tier", "the tiers are auto and standard_only"),
    Loss("anthropic", "stop.whitespace", "a stop sequence must hold more than white space"),
    Loss("anthropic", "system.content", "the system prompt is text"),
    Loss("anthropic", "temperature", "excluded by thinking, or by the model"),
    Loss("anthropic", "temperature.range", "lowered to 1"),
    Loss("anthropic", "tool_calls.arguments", "arguments that are no JSON object are wrapped in one"),
    Loss("anthropic", "tool_calls.signature", "a proof that another provider attached to a call"),
    Loss("anthropic", "tools.extras", "members of a tool that only the caller's own dialect understands"),
    Loss("anthropic", "tools.opaque", "a tool that only its own provider runs"),
    Loss("anthropic", "tools.strict", "the model does not enforce schemas"),
    Loss("anthropic", "top_k", "excluded by thinking, or by the model"),
    Loss("anthropic", "top_logprobs", "no such output"),
    Loss("anthropic", "top_p", "excluded by thinking, by the model, or beside temperature"),
    Loss("anthropic", "verbosity", "no such parameter"),
    # -- to bedrock
    Loss("bedrock", "audio.format", "audio has one of the formats that the API names"),
    Loss("bedrock", "audio.url", "media are given by value, or from S3"),
    Loss("bedrock", "cache_control", "the model caches no prompts, or no tools"),
    Loss("bedrock", "cache_control.ttl", "the model's cache has one duration"),
    Loss("bedrock", "document.citations", "the model cites nothing"),
    Loss("bedrock", "document.context", "the model takes a document's name and nothing else"),
    Loss(
        "bedrock",
        "document.media_type",
        "documents are PDF, office formats, HTML, Markdown, CSV or plain text",
    ),
    Loss("bedrock", "document.url", "media are given by value, or from S3"),
    Loss("bedrock", "extras", "a top-level member that only the caller's own dialect understands"),
    Loss("bedrock", "file_id", "a file's id means something to the provider that issued it only"),
    Loss("bedrock", "frequency_penalty", "no such parameter"),
    Loss("bedrock", "image.detail", "no such parameter"),
    Loss("bedrock", "image.media_type", "images are PNG, JPEG, GIF or WebP"),
    Loss("bedrock", "image.url", "media are given by value, or from S3"),
    Loss("bedrock", "logprobs", "no such output"),
    Loss("bedrock", "max_tokens", "lowered to the model's largest output"),
    Loss("bedrock", "messages.name", "turns have no speaker's name"),
    Loss(
        "bedrock",
        "messages.system_position",
        "a system message inside the conversation moves to the system prompt",
    ),
    Loss("bedrock", "n", "one reply a request"),
    Loss("bedrock", "opaque", "a block that only its own dialect understands"),
    Loss("bedrock", "parallel_tool_calls", "no such parameter"),
    Loss("bedrock", "presence_penalty", "no such parameter"),
    Loss("bedrock", "prompt_cache_key", "caching is asked for with cache points"),
    Loss("bedrock", "reasoning", "the model does not reason, or is not told how much"),
    Loss("bedrock", "reasoning.budget_tokens", "told as a level of effort, but to Claude"),
    Loss("bedrock", "reasoning.forced_tool_choice", "thinking and a forced tool exclude each other"),
    Loss("bedrock", "reasoning.max_tokens", "max_tokens leaves no room for the smallest thinking budget"),
    Loss("bedrock", "reasoning.tool_loop", "thinking cannot begin inside a tool loop that began without it"),
    Loss("bedrock", "reasoning.unsigned", "thinking goes back to the provider that signed it only"),
    Loss(
        "bedrock",
        "response_format.emulated",
        "asked for in words, because the model has no structured output",
    ),
    Loss("bedrock", "response_format.name", "a schema given in words has no name"),
    Loss("bedrock", "seed", "no such parameter"),
    Loss("bedrock", "service_tier", "the tiers are default, flex, priority and reserved"),
    Loss("bedrock", "stop.whitespace", "a stop sequence must hold more than white space"),
    Loss("bedrock", "system.content", "the system prompt is text"),
    Loss("bedrock", "temperature", "excluded by thinking, or by the model"),
    Loss("bedrock", "temperature.range", "lowered to 1"),
    Loss("bedrock", "tool_calls.arguments", "arguments that are no JSON object are wrapped in one"),
    Loss("bedrock", "tool_calls.signature", "a proof that another provider attached to a call"),
    Loss(
        "bedrock",
        "tool_choice.none",
        "a conversation that used tools must declare them, and `none` cannot be said",
    ),
    Loss("bedrock", "tool_results.is_error", "the model is not told whether a result is an error"),
    Loss("bedrock", "tools.extras", "members of a tool that only the caller's own dialect understands"),
    Loss("bedrock", "tools.opaque", "a tool that only its own provider runs"),
    Loss("bedrock", "tools.strict", "the model does not enforce schemas"),
    Loss("bedrock", "top_k", "excluded by thinking, or not taken by the model"),
    Loss("bedrock", "top_logprobs", "no such output"),
    Loss("bedrock", "top_p", "excluded by thinking, by the model, or beside temperature"),
    Loss("bedrock", "user", "no such parameter"),
    Loss("bedrock", "verbosity", "no such parameter"),
)

_SAME_BODY: Mapping[DialectName, DialectName] = {"bedrock_anthropic": "anthropic"}
"""Dialects that carry another one's body, and lose what it loses."""


def losses_to(target: DialectName) -> dict[str, str]:
    """Declared losses of one target: field → reason."""
    target = _SAME_BODY.get(target, target)
    return {loss.field: loss.reason for loss in LOSSES if loss.target == target}
