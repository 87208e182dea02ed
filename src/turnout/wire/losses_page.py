"""The loss table as a page for people: `python -m turnout.wire.losses_page` writes `docs/dialects.md` to standard output."""

from __future__ import annotations

import sys

from turnout.core.model import DialectName
from turnout.wire.losses import LOSSES

_TITLES: dict[DialectName, str] = {
    "openai_chat": "To a provider that speaks OpenAI chat completions",
    "anthropic": "To a provider that speaks Anthropic messages",
    "openai_responses": "To a provider that speaks OpenAI responses",
    "gemini": "To a provider that speaks Gemini",
    "bedrock": "To Amazon Bedrock's Converse",
    "cohere": "To Cohere",
    "mistral": "To Mistral",
    "ollama": "To Ollama's own API",
}
_HEAD = """# Dialects, and what is lost between them

A client speaks one API, a provider another; Turnout translates requests, replies, streams and errors. Client and provider of the same
dialect are not translated at all: bytes pass as they came, fields that Turnout does not know included.

Across dialects text, images, documents, tools and their results, parallel calls, tool choice, structured output, reasoning with
its signatures, prompt-cache controls, stop reasons and every class of usage are carried. What cannot be is dropped, *and the caller is told*: the
header `x-turnout-dropped` and `turnout.dropped` name the fields. These are all of them; a test holds this page to the code.
"""


def page() -> str:
    parts = [_HEAD]
    for target, title in _TITLES.items():
        rows = [loss for loss in LOSSES if loss.target == target]
        if not rows:
            continue
        parts.append(f"\n## {title}\n\n| field | why |\n|---|---|\n".replace("\\\n", "\n"))
        parts.extend(f"| `{loss.field}` | {loss.reason} |\n" for loss in rows)
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
