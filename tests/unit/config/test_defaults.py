"""What is served without a file, and what a first file holds."""

from __future__ import annotations

from typing import get_args

import pytest

from turnout.config.defaults import demo_config, init_text, unstarted, with_known_keys, with_simulated
from turnout.config.load import load_text
from turnout.core.card import NOT_CHAT, TIERS, Task
from turnout.upstream.known import load_known

KNOWN = load_known()
SIX = ("openai", "anthropic", "google", "mistral", "deepseek", "groq")
URLS = {name: f"http://127.0.0.1:9/{name}" for name in SIX}


def test_the_demo_serves_the_models_that_are_marked_for_it() -> None:
    config = demo_config(KNOWN, URLS, {})
    assert set(config.models) == {name for name, model in KNOWN.models.items() if model.demo}
    assert {name: p.base_url for name, p in config.providers.items()} == URLS
    assert all(p.api_key == f"sim-{name}" and p.simulated for name, p in config.providers.items())
    assert config.routing.tiers.keys() == set(TIERS)
    assert config.routing.tasks.keys() == set(get_args(Task))


def test_the_demo_falls_back_to_other_providers() -> None:
    models = demo_config(KNOWN, URLS, {}).models
    for name, model in models.items():
        if NOT_CHAT.issuperset(KNOWN.models[name].capabilities):
            assert model.fallbacks == ()
            continue
        providers = [models[fallback].provider for fallback in model.fallbacks]
        assert len(providers) >= 2
        assert model.provider not in providers
        assert len(set(providers)) == len(providers)
        assert models[model.fallbacks[0]].tier == model.tier


def test_a_key_in_the_environment_makes_a_provider_real() -> None:
    config = demo_config(KNOWN, URLS, {"GROQ_API_KEY": "gsk-1", "OPENAI_API_KEY": ""})
    assert config.providers["groq"].base_url == "https://api.groq.com/openai/v1"
    assert config.providers["groq"].api_key == "gsk-1"
    assert "gpt-oss-120b" in config.models and "gpt-4.1" not in config.models


@pytest.mark.parametrize("name", [n for n, p in KNOWN.providers.items() if p.key_variable])
def test_with_any_real_key_nothing_is_simulated_unless_it_is_wanted(name: str) -> None:
    env = {str(KNOWN.providers[name].key_variable): "sk-1"}
    alone = demo_config(KNOWN, URLS, env)
    assert not any(provider.simulated for provider in alone.providers.values())
    named = {fallback for model in alone.models.values() for fallback in model.fallbacks}
    assert named <= set(alone.models)
    both = demo_config(KNOWN, URLS, env, simulate=True)
    assert {n for n, provider in both.providers.items() if provider.simulated} == set(URLS) - set(
        alone.providers
    )
    assert set(both.models) > set(alone.models)


def test_a_key_brings_models_that_are_not_simulated() -> None:
    env = {"MOONSHOT_API_KEY": "sk-1", "CLOUDFLARE_API_TOKEN": "cf-1"}
    config = demo_config(KNOWN, URLS, env)
    assert config.providers["moonshot"].api_key == "sk-1"
    assert "kimi-k3" in config.models
    assert "cloudflare" not in config.providers, "its address needs the account"
    config = demo_config(KNOWN, URLS, {**env, "CLOUDFLARE_ACCOUNT_ID": "abc"})
    assert (
        config.providers["cloudflare"].base_url == "https://api.cloudflare.com/client/v4/accounts/abc/ai/v1"
    )


def test_an_address_is_filled_from_the_environment() -> None:
    text = """
providers:
  bedrock: {api_key: "AKID:secret"}
  azure: {base_url: "https://proxy.example/openai/v1"}
models:
  nova: {provider: bedrock, id: "amazon.nova-pro-v1:0"}
  g: {provider: azure_deployments}
  s: {provider: snowflake}
"""
    env = {"AWS_REGION": "eu-west-1", "AZURE_RESOURCE_NAME": "res", "AZURE_OPENAI_API_KEY": "az-1"}
    env["SNOWFLAKE_ACCOUNT"] = "evil.example/x"
    config = with_known_keys(load_text(text, "t", {}, tuple(KNOWN.providers)), KNOWN, env)
    assert config.providers["bedrock"].base_url == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert config.providers["bedrock"].api_key == "AKID:secret"
    assert config.providers["azure"].base_url == "https://proxy.example/openai/v1"
    assert config.providers["azure"].api_key is None, "a key goes to nobody but its provider"
    assert config.providers["azure_deployments"].base_url == "https://res.openai.azure.com/openai"
    assert config.providers["azure_deployments"].api_key == "az-1"
    assert "snowflake" not in config.providers, "a value that is no host name fills nothing"


def test_the_demo_of_few_providers_has_no_dangling_names() -> None:
    config = demo_config(KNOWN, {"mistral": "http://127.0.0.1:9"}, {})
    assert {model.provider for model in config.models.values()} == {"mistral"}
    assert config.routing.tasks["reasoning"] in config.models


@pytest.mark.parametrize(
    "found", [(), ("openai",), ("deepseek", "groq"), ("ollama",), tuple(KNOWN.providers)]
)
def test_a_first_file_loads(found: tuple[str, ...]) -> None:
    env = {p.key_variable: "sk-1" for name, p in KNOWN.providers.items() if name in found and p.key_variable}
    text = init_text(KNOWN, found)
    config = load_text(text, "turnout.yaml", env, tuple(KNOWN.providers))
    assert set(config.providers) == set(found or SIX)
    assert {name for name, p in config.providers.items() if p.simulated} == (set() if found else set(SIX))
    wanted = {n for n, m in KNOWN.models.items() if (m.provider in found if found else m.demo)}
    assert set(config.models) == wanted
    assert ("simulated" in text) == (not found)


def test_a_first_file_loads_with_one_more_provider_uncommented() -> None:
    text = init_text(KNOWN, ["openai"])
    lines = [
        line.replace("# ", "", 1) if "provider: groq" in line or "groq: {" in line else line
        for line in text.splitlines()
    ]
    env = {"OPENAI_API_KEY": "sk-1", "GROQ_API_KEY": "gsk-1"}
    config = load_text("\n".join(lines), "turnout.yaml", env, tuple(KNOWN.providers))
    assert config.models["gpt-oss-20b"].fallbacks == ("gpt-4o-mini",)


def test_known_providers_need_only_their_name() -> None:
    text = """
providers:
  openai: {tags: [us]}
  groq: {base_url: "http://127.0.0.1:9"}
  mistral: {api_key: own}
  deepseek: {headers: {x-key: own}}
models:
  a: {provider: anthropic}
  b: {provider: google}
"""
    env: dict[str, str] = {}
    for name, provider in KNOWN.providers.items():
        env.setdefault(provider.key_variable or "", f"key-of-{name}")
    del env["GEMINI_API_KEY"]
    config = with_known_keys(load_text(text, "t", {}, tuple(KNOWN.providers)), KNOWN, env)
    assert {name: provider.api_key for name, provider in config.providers.items()} == {
        "openai": "key-of-openai",
        "groq": None,
        "mistral": "own",
        "deepseek": None,
        "anthropic": "key-of-anthropic",
    }
    assert config.providers["openai"].tags == ("us",)


def test_what_is_simulated_gets_an_address_and_never_a_real_key() -> None:
    text = """
providers:
  openai: {simulated: true}
  google: {simulated: true}
  groq: {simulated: true, base_url: "http://127.0.0.1:8/v1"}
  mistral: {}
models: {a: {provider: mistral}}
"""
    env = {"OPENAI_API_KEY": "sk-real", "GROQ_API_KEY": "sk-real", "GEMINI_API_KEY": "sk-real"}
    config = with_known_keys(load_text(text, "t", {}, tuple(KNOWN.providers)), KNOWN, env)
    assert unstarted(config) == ("openai", "google")
    served = with_simulated(config, KNOWN, URLS)
    assert unstarted(served) == ()
    found = {name: (p.base_url, p.api_key, p.dialect) for name, p in served.providers.items()}
    assert found == {
        "openai": (URLS["openai"], "sim-openai", None),
        "google": (URLS["google"], "sim-google", "openai_chat"),
        "groq": ("http://127.0.0.1:8/v1", None, None),
        "mistral": (None, None, None),
    }
