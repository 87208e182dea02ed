"""The words in which providers say that a prompt does not fit, one row a provider, with where each was seen.

Promise: one table for every dialect, because wordings travel (a model's host speaks another's API, a gateway quotes its provider). It is asked
only where nothing typed has spoken, and only of prose without its quotations (`wire.prose.unquoted`). A row speaks of the
*prompt*: too large a `max_tokens`, too many tokens a minute, and too many bytes are other conditions.
"""

from __future__ import annotations

import re

from msgspec import Struct


class Wording(Struct, frozen=True):
    """`example` is a sentence as it was seen; the tests hold the pattern to it. `source`: where."""

    provider: str
    pattern: str
    example: str
    source: str


WORDINGS: tuple[Wording, ...] = (
    Wording(
        "OpenAI, DeepSeek, OpenRouter, vLLM",
        r"maximum context|max(?:imum)? model len",
        "This model's maximum context length is 65536 tokens. However, you requested 69648 tokens",
        "recordings: deepseek/chat, openrouter/chat",
    ),
    Wording(
        "OpenAI (Responses)",
        r"exceeds? (?:the|its|this)? ?(?:available |model'?s? |maximum |max )*context",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "recordings: openai/responses",
    ),
    Wording(
        "Groq, Cerebras",
        r"reduce the length of (?:the |your |either )?(?:messages|prompt|input|one)",
        "Please reduce the length of the messages or completion. Current length is 42328 while limit is 40000",
        "github.com/cline/cline/issues/5140",
    ),
    Wording(
        "Anthropic, Perplexity, Amazon Bedrock",
        r"(?:prompt|inputs?|messages) (?:is|are) too long|total length of all messages is too long",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "recordings: anthropic/messages, perplexity/chat",
    ),
    Wording(
        "Anthropic (prompt and output together)",
        r"exceed[^.]{0,40} context (?:limit|window|length)",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "github.com/stackblitz/bolt.new/issues/7414",
    ),
    Wording(
        "any",
        r"context (?:length|window|size|limit)[^.]{0,60} exceed|exceed\w* (?:the )?(?:maximum |max )?(?:input )?context",
        "prompt too long; exceeded max context length by 1119046 tokens",
        "recordings: ollama/chat",
    ),
    Wording(
        "Google",
        r"(?:token count|number of (?:input )?tokens)[^.]{0,60} exceeds? (?:the )?(?:maximum|limit)",
        "The input token count (1250074) exceeds the maximum number of tokens allowed (1048576).",
        "recordings: vertex/generateContent",
    ),
    Wording(
        "Google (Vertex)",
        r"exceeds? the maximum number of (?:input )?tokens",
        "The request exceeds the maximum number of tokens allowed (1048576).",
        "recordings: vertex/generateContent, reworded by hosts",
    ),
    Wording(
        "Amazon Bedrock",
        r"input tokens? exceed",
        "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
        "recordings: bedrock/converse",
    ),
    Wording(
        "Cohere",
        r"too many (?:input |prompt )?tokens|size limit exceeded by \d+ tokens",
        "too many tokens: size limit exceeded by 25836 tokens. Try using shorter or fewer inputs.",
        "recordings: cohere/chat",
    ),
    Wording(
        "xAI",
        r"maximum prompt length",
        "This model's maximum prompt length is 131072 but the request contains 136973 tokens.",
        "github.com/cline/cline/issues/3120",
    ),
    Wording(
        "Moonshot",
        r"exceeded model token limit",
        "Invalid request: Your request exceeded model token limit: 262144 (requested: 291351)",
        "Moonshot's API reference; quoted in the overflow tests of several agents",
    ),
    Wording(
        "Alibaba (Qwen)",
        r"range of input length should be",
        "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 983616]",
        "github.com/QwenLM/qwen-code/issues/98",
    ),
    Wording(
        "MiniMax",
        r"context window exceeds limit",
        "invalid params, context window exceeds limit",
        "github.com/anomalyco/opencode/pull/45834 (list of wordings)",
    ),
    Wording(
        "Mistral",
        r"too large for model with \d+ maximum context",
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        "github.com/anomalyco/opencode/pull/45834 (list of wordings)",
    ),
    Wording(
        "Together",
        r"is longer than (?:the )?(?:model'?s? )?context length|inputs? tokens? \+ \S+ must be",
        "The input (40000 tokens) is longer than the model's context length (32768 tokens).",
        "github.com/anomalyco/opencode/pull/45834 (list of wordings)",
    ),
    Wording(
        "SiliconFlow, Novita",
        r"exceeds? (?:the )?maximum allowed input length|more than max tokens allowed",
        "The input exceeds the maximum allowed input length of 32768 tokens.",
        "github.com/anomalyco/opencode/pull/45834 (list of wordings)",
    ),
    Wording(
        "GitHub Copilot",
        r"prompt token count of \d+ exceeds the limit",
        "prompt token count of 5000 exceeds the limit of 4096",
        "github.com/anomalyco/opencode/pull/45834 (list of wordings)",
    ),
    Wording(
        "llama.cpp",
        r"exceeds the available context size|input \(\d+ tokens\) is too large to process",
        "request (2009 tokens) exceeds the available context size (512 tokens), try increasing it",
        "recordings: llamacpp/chat",
    ),
    Wording(
        "LM Studio",
        r"(?:greater|exceeds?|longer) (?:than )?(?:the )?context length",
        "The number of tokens to keep from the initial prompt is greater than the context length",
        "github.com/lmstudio-ai/examples/issues/29",
    ),
    Wording(
        "Ollama",
        r"prompt (?:is )?too long",
        "prompt too long; exceeded max context length by 1119046 tokens",
        "recordings: ollama/chat",
    ),
    Wording(
        "a code word told as prose",
        r"context[_ ]length[_ ]exceeded|context[_ ]window[_ ]exceeded",
        "context_length_exceeded",
        "OpenAI's code, z.ai's model_context_window_exceeded",
    ),
)

_ANY = re.compile("|".join(f"(?:{row.pattern})" for row in WORDINGS), re.IGNORECASE)


def overflows(prose: str) -> bool:
    """Does the sentence say that the prompt is too long for the model? `prose` is without quotations."""
    return _ANY.search(prose) is not None
