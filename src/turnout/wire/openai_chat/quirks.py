"""What providers of this dialect do differently: one word a deviation, in one table.

A provider, or one of its models, lists its words in `upstream/known.json` or in a configuration; the codec reads them and knows no provider's
name. They bear on requests that are translated into this dialect, on paths, and on where a stream ends. A request that comes in this dialect is
passed on as it is, so that its caller finds the provider as the provider is.

Two words have a value after a dot: `efforts.<level>…` and `api_version.<version>`. A word that is not here is refused when a
configuration is loaded. The table is printed in `docs/providers.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MAX_COMPLETION_TOKENS = "max_completion_tokens"
DEVELOPER_ROLE = "developer_role"
NO_STREAM_OPTIONS = "no_stream_options"
NO_DONE = "no_done"
CACHE_CONTROL = "cache_control"
TOP_K = "top_k"
CHAT_PATH = "chat_path"
AZURE_DEPLOYMENTS = "azure_deployments"
API_VERSION = "api_version."

REASONING_CONTENT = "reasoning_content"
REASONING_FIELD = "reasoning_field"
REASONING_DETAILS = "reasoning_details"
EXTRA_CONTENT = "extra_content"

REASONING_OBJECT = "reasoning_object"
REASONING_ENABLED = "reasoning_enabled"
THINKING_TYPE = "thinking_type"
THINKING_EFFORT = "thinking_effort"
ENABLE_THINKING = "enable_thinking"
CHAT_TEMPLATE_THINKING = "chat_template_thinking"
VENICE_PARAMETERS = "venice_parameters"
PARSED_REASONING = "parsed_reasoning"
ALWAYS_THINKS = "always_thinks"
FORCED_TOOLS_UNTHINKING = "forced_tools_unthinking"
REASONING_TEMPERATURE_1 = "reasoning_temperature_1"
EFFORTS = "efforts."

NO_SAMPLING = "no_sampling"
NO_PENALTIES = "no_penalties"
NO_LOGPROBS = "no_logprobs"
NO_STOP = "no_stop"
NO_SEED = "no_seed"
NO_N = "no_n"
NO_NAMES = "no_names"
NO_STRICT_TOOLS = "no_strict_tools"
NO_FORCED_TOOLS = "no_forced_tools"
NO_PARALLEL_TOOL_CALLS = "no_parallel_tool_calls"
NO_JSON_SCHEMA = "no_json_schema"
NO_RESPONSE_FORMAT = "no_response_format"

DEFAULT_API_VERSION = "2024-10-21"
"""Azure's last dated version that is generally available; its `/openai/v1` needs none."""

QUIRKS: Mapping[str, str] = MappingProxyType(
    {
        # -- the request's frame
        CHAT_PATH: "chats are at `/chat`, not at `/chat/completions`",
        AZURE_DEPLOYMENTS: (
            "paths are `/deployments/<model>/…?api-version=…` below a base URL that ends in `/openai`; "
            f"the version is {DEFAULT_API_VERSION} unless `api_version.<version>` says another"
        ),
        API_VERSION: "`api_version.<version>`: `?api-version=<version>` is added to paths",
        DEVELOPER_ROLE: "takes the role `developer`; others get these messages as `system`",
        MAX_COMPLETION_TOKENS: "the limit of output is called `max_completion_tokens`",
        NO_STREAM_OPTIONS: "refuses `stream_options`; sends usage by itself, or none",
        NO_DONE: "never sends `[DONE]`, so that a passed operation's stream has ended well when the transfer is whole; a chat's needs no such word",
        CACHE_CONTROL: "takes prompt-cache marks (`cache_control`) on parts and tools",
        TOP_K: "takes `top_k`",
        # -- reasoning in the history
        REASONING_CONTENT: "earlier reasoning goes back as `reasoning_content`",
        REASONING_FIELD: "earlier reasoning goes back as `reasoning`",
        REASONING_DETAILS: "earlier reasoning goes back as `reasoning_details`, with its proofs",
        EXTRA_CONTENT: "proofs of earlier tool calls go back as `extra_content.google.thought_signature`",
        # -- how much to reason
        EFFORTS: (
            "`efforts.<level>.<level>…`: the only levels it takes, of `none` `minimal` `low` `medium` `high` `xhigh` `max`, or `default`; "
            "another is replaced by the nearest"
        ),
        REASONING_OBJECT: "reasoning is asked for by `reasoning: {effort}` or `{max_tokens}`",
        REASONING_ENABLED: "reasoning is switched by `reasoning: {enabled}`, beside `reasoning_effort`",
        THINKING_TYPE: "reasoning is switched by `thinking: {type}`",
        THINKING_EFFORT: "takes `reasoning_effort` beside `thinking: {type}`",
        ENABLE_THINKING: "reasoning is switched by `enable_thinking` and bounded by `thinking_budget`",
        CHAT_TEMPLATE_THINKING: (
            "reasoning is switched by `chat_template_kwargs: {enable_thinking}`, beside `reasoning_effort`"
        ),
        VENICE_PARAMETERS: "reasoning is switched off by `venice_parameters: {disable_thinking}`",
        PARSED_REASONING: "leaves reasoning in the text unless `reasoning_format` is `parsed`",
        ALWAYS_THINKS: "always reasons, and lets nobody say how much",
        FORCED_TOOLS_UNTHINKING: "refuses a forced tool while it reasons: reasoning is switched off then",
        REASONING_TEMPERATURE_1: "with reasoning asked for, the temperature has to be 1",
        # -- parameters that are refused
        NO_SAMPLING: "refuses `temperature`, `top_p`, penalties and log-probabilities",
        NO_PENALTIES: "refuses `presence_penalty` and `frequency_penalty`",
        NO_LOGPROBS: "refuses `logprobs` and `top_logprobs`",
        NO_STOP: "refuses `stop`",
        NO_SEED: "refuses `seed`",
        NO_N: "refuses `n` other than 1",
        NO_NAMES: "refuses `name` in messages",
        NO_STRICT_TOOLS: "refuses `strict` in tools",
        NO_FORCED_TOOLS: "refuses a `tool_choice` that forces a tool",
        NO_PARALLEL_TOOL_CALLS: "refuses `parallel_tool_calls`",
        NO_JSON_SCHEMA: "refuses a `response_format` with a schema; the schema is told in words",
        NO_RESPONSE_FORMAT: "refuses `response_format`; what is wanted is told in words",
    }
)
"""Word → what it means. A word that ends in a dot is the beginning of one with a value."""


def value_of(quirks: frozenset[str], prefix: str) -> str | None:
    """What follows the dot of a word with a value; the first in alphabetical order where there are several."""
    return next((word[len(prefix) :] for word in sorted(quirks) if word.startswith(prefix)), None)
