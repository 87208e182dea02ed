"""The shipped providers as a page for people: `python -m turnout.upstream.providers_page` writes `docs/providers.md` to standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from turnout.core.model import DialectName
from turnout.upstream.known import Known, load_known
from turnout.wire.quirks import QUIRKS

_HEAD = """# Providers

A provider of this table needs nothing but its name in a configuration, and its key in the variable that its own SDK reads. Whatever is
set in the configuration is taken instead. `turnout providers --known` prints the same, `turnout models` what is served.

```yaml
providers:
  groq: {}                                     # the key comes from GROQ_API_KEY
  azure: {base_url: "https://my-resource.openai.azure.com/openai/v1", api_key: "${AZURE_OPENAI_API_KEY}"}
models:
  gpt-oss-120b: {provider: groq}               # known: id, tier, window and capabilities need not be said
  gpt-4.1: {provider: azure, id: my-deployment}
```

What is known of a model (limits, capabilities, quirks, tier) belongs to its id, not to the name that a configuration gives it: `opus: {provider:
anthropic, id: claude-opus-5-5}`, a dated snapshot, `-latest`, `anthropic/claude-…` at a router, `us.anthropic.claude-…-v1:0` on Bedrock, and the same id
behind a proxy of one's own (`{dialect: anthropic, base_url: …}`) are all the same model. The provider's own row comes before one of the same prices, that
before one of the same dialect. A Claude that is not known is taken to think as the nearest one that is. What the configuration says wins.

A blank in an address, such as `{AWS_REGION}`, is filled from the environment variable of that name; without it the provider needs `base_url`.

"""
_OTHERS = """
## Any other provider

One row of data: a name, a dialect and an address. It is priced if the model says how, or if `prices_from` names a provider of the price data.

```yaml
providers:
  house: {dialect: openai_chat, base_url: "http://127.0.0.1:8000/v1", quirks: [chat_template_thinking]}
models:
  qwen-house: {provider: house, id: Qwen/Qwen3-32B, capabilities: [tools, reasoning], price: {input: 0, output: 0}}
```

"""
_WORDS = """## Quirks

What a provider does differently from its dialect. A provider's `quirks` replace the shipped ones; a model's are added to its provider's. They bear on
requests that are translated: a request that comes in the provider's own dialect is passed on as it is, to the right path.
"""
_TITLES: dict[DialectName, str] = {
    "openai_chat": "OpenAI chat completions (`openai_chat`), and `mistral`",
    "openai_responses": "OpenAI responses (`openai_responses`)",
    "anthropic": "Anthropic messages (`anthropic`)",
    "gemini": "Gemini (`gemini`)",
    "bedrock": "Amazon Bedrock (`bedrock`)",
}


def page() -> str:
    known = load_known()
    return "".join((_HEAD, *_providers(known), _OTHERS, _WORDS, *_quirks(known)))


def _providers(known: Known) -> Iterator[str]:
    yield "| provider | dialect | base URL | key | models | quirks | |\n|---|---|---|---|---|---|---|\n"
    for name, provider in known.providers.items():
        count = sum(model.provider == name for model in known.models.values())
        key = f"`{provider.key_variable}`" if provider.key_variable else ""
        words = " ".join(f"`{word}`" for word in provider.quirks)
        address = f"`{provider.base_url}`" if provider.base_url else "yours"
        yield f"| `{name}` | `{provider.dialect}` | {address} | {key} | {count or ''} | {words} | {provider.note} |\n"


def _quirks(known: Known) -> Iterator[str]:
    for dialect, title in _TITLES.items():
        yield f"\n### {title}\n\n| word | what it means | needed by |\n|---|---|---|\n"
        for word, meaning in QUIRKS[dialect].items():
            spelled = f"{word}…" if word.endswith(".") else word
            yield f"| `{spelled}` | {meaning.replace('|', '/')} | {', '.join(_needing(word, dialect, known))} |\n"


def _needing(word: str, dialect: DialectName, known: Known) -> Iterator[str]:
    """Providers that have the word, or have a model that has it."""
    for name, provider in known.providers.items():
        if provider.dialect == dialect:
            models = [model for model in known.models.values() if model.provider == name]
            words = (*provider.quirks, *(each for model in models for each in model.quirks))
            if any(each == word or (word.endswith(".") and each.startswith(word)) for each in words):
                yield name


if __name__ == "__main__":
    sys.stdout.write(page())
