"""What the model behind a Bedrock id takes beyond the common format.

Converse is one format for many makers' models, and refuses what the model behind the id does not know. The id names the maker
(`us.anthropic.claude-…`, `amazon.nova-…`); behind an application profile's ARN or an imported model it does not, so a target's
quirks can say it: `claude`, `nova`, `cache_control`, `top_k`.
"""

from __future__ import annotations

from msgspec import Struct

from turnout.wire.codec import Target


class Family(Struct, frozen=True):
    """`reasoning` names the way in which thinking is asked for; `top_k` the member that holds it, dotted."""

    claude: bool = False
    caches: bool = False
    cache_ttl: bool = False
    cache_tools: bool = False
    result_status: bool = False
    reasoning: str | None = None
    top_k: str | None = None


_CLAUDE = Family(True, True, True, True, True, "thinking", "top_k")
_NOVA = Family(False, True, False, False, True, None, "inferenceConfig.topK")
_NOVA_2 = Family(False, True, False, False, True, "reasoningConfig", "inferenceConfig.topK")


def family_of(target: Target) -> Family:
    model, quirks = target.model.lower(), target.quirks
    if "claude" in quirks or "anthropic." in model:
        return _CLAUDE
    if "amazon.nova-2" in model:
        return _NOVA_2
    if "nova" in quirks or "amazon.nova" in model:
        return _NOVA
    return Family(
        caches="cache_control" in quirks,
        reasoning=_reasoning(model),
        top_k="top_k" if "top_k" in quirks or "mistral." in model else None,
    )


def _reasoning(model: str) -> str | None:
    if "openai.gpt-oss" in model:
        return "reasoning_effort"
    return "reasoning_config" if "qwen." in model or "deepseek.v" in model else None
