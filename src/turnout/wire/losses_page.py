"""The loss table as a page for people: `python -m turnout.wire.losses_page` writes `docs/dialects.md` to standard output."""

from __future__ import annotations

import sys

from turnout.core.model import DialectName
from turnout.wire.losses import FITTED, LOSSES

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


_FITTED = """
## To every provider that needs it

Before it is translated, a request is fitted to its target. Names of tools and ids that are too long, or hold letters that the target refuses, get a stable
short form, and the caller gets his own back; tools of free text and groups of tools become functions, and come back in their caller's
form; results are put right after their calls; blank texts beside others are left out. Nothing is lost by these. What is:

| field | what becomes of it |
|---|---|
"""


def page() -> str:
    parts = [_HEAD, _FITTED, *[f"| `{field}` | {reason} |\n" for field, reason in FITTED.items()]]
    for target, title in _TITLES.items():
        rows = [loss for loss in LOSSES if loss.target == target]
        if not rows:
            continue
        parts.append(f"\n## {title}\n\n| field | why |\n|---|---|\n".replace("\\\n", "\n"))
        parts.extend(f"| `{loss.field}` | {loss.reason} |\n" for loss in rows)
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
