"""The gateways: how each is started in front of the simulated provider, and what a client must send it.

Each is configured as its own documentation says for plain use, one process on one core, with logging turned down where
that is an option. Peers run without authentication where they allow that; Turnout runs with authentication, request
log, prices and metrics on. Adding a peer is one function here and one row in `peers`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from bench.process import Launch, free_port
from bench.samples import Scenario

KEY = "bench-key-0123456789abcdef"
OPENAI_MODEL = "gpt-4o"
ANTHROPIC_MODEL = "claude-sonnet-4-6"

Headers = tuple[tuple[str, str], ...]
BEARER: Headers = (("authorization", f"Bearer {KEY}"),)


class Site(Struct, frozen=True):
    """Where one start of a gateway happens: its port, the provider's, and an empty folder of its own."""

    port: int
    provider_port: int
    folder: Path

    @property
    def provider(self) -> str:
        return f"http://127.0.0.1:{self.provider_port}"

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)


class Gateway(Struct, frozen=True):
    name: str
    launch: Callable[[Path, Site], Launch]
    """Takes the installation (a binary or a folder) and the site."""
    scenarios: tuple[Scenario, ...] = (Scenario.SAME,)
    headers: Callable[[Site, Scenario], Headers] = lambda _site, _scenario: BEARER
    ready_s_max: float = 20.0

    def model(self, scenario: Scenario) -> str:
        return {Scenario.SAME: OPENAI_MODEL, Scenario.AUTO: "auto", Scenario.CROSS: ANTHROPIC_MODEL}[scenario]


def _turnout(binary: Path, site: Site) -> Launch:
    price = {"input": 2.5, "output": 10, "cached_input": 1.25}
    light = {"provider": "openai", "tier": "light", "price": {"input": 0.15, "output": 0.6}}
    config = {
        "store": f"sqlite:///{site.folder / 'turnout.db'}",
        "providers": {
            "openai": {"dialect": "openai_chat", "base_url": f"{site.provider}/v1", "api_key": "sk-bench"},
            "anthropic": {"dialect": "anthropic", "base_url": site.provider, "api_key": "sk-ant-bench"},
        },
        "models": {
            OPENAI_MODEL: {"provider": "openai", "tier": "standard", "price": price},
            "gpt-4o-mini": light,
            "gpt-4.1": {"provider": "openai", "tier": "large", "price": price},
            ANTHROPIC_MODEL: {
                "provider": "anthropic",
                "tier": "standard",
                "price": {"input": 3, "output": 15, "cached_input": 0.3},
            },
        },
        "routing": {
            "tiers": {"light": ["gpt-4o-mini"], "standard": [OPENAI_MODEL], "large": ["gpt-4.1"]},
        },
        "keys": [{"name": "bench", "key": KEY}],
    }
    path = site.write("turnout.yaml", json.dumps(config, indent=1))  # JSON is YAML
    return Launch((str(binary), "serve", "--config", path, "--port", str(site.port)), site.folder)


def _turnout_headers(_site: Site, _scenario: Scenario) -> Headers:
    return (
        *BEARER,
        ("x-turnout-cache", "off"),
    )  # every request must reach the provider, as it does for peers


def _envoy(installed: Path, site: Site) -> Launch:
    types = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{types}.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "in",
        "address": _envoy_address(site.port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    limits = {"max_connections": 10_000, "max_pending_requests": 10_000, "max_requests": 10_000}
    cluster = {
        "name": "provider",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": "provider",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _envoy_address(site.provider_port)}}]}],
        },
    }
    path = site.write(
        "envoy.json", json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})
    )
    binary = str(installed / "bin" / "envoy")
    return Launch(
        (binary, "-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "error"), site.folder
    )


def _envoy_address(port: int) -> dict[str, dict[str, object]]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _smg(installed: Path, site: Site) -> Launch:
    argv = (
        str(installed / "bin" / "smg"),
        "launch",
        "--host=127.0.0.1",
        f"--port={site.port}",
        "--worker-urls",
        site.provider,
        f"--prometheus-port={free_port()}",
        "--prometheus-host=127.0.0.1",
        "--log-level=warn",
    )
    return Launch(argv, site.folder)


def _ferrogw(installed: Path, site: Site) -> Launch:
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [{"virtual_key": "openai"}, {"virtual_key": "anthropic"}],
    }
    env = (
        ("GATEWAY_CONFIG", site.write("config.yaml", json.dumps(config))),
        ("PORT", str(site.port)),
        ("LOG_LEVEL", "error"),
        ("RATE_LIMIT_RPS", "0"),
        ("MASTER_KEY", KEY),
        ("ALLOW_UNAUTHENTICATED_PROXY", "true"),
        ("OPENAI_API_KEY", "sk-bench"),
        ("OPENAI_BASE_URL", f"{site.provider}/v1"),
        ("ANTHROPIC_API_KEY", "sk-ant-bench"),
        ("ANTHROPIC_BASE_URL", site.provider),
    )
    return Launch((str(installed / "bin" / "ferrogw"), "serve"), site.folder, env)


def _portkey(installed: Path, site: Site) -> Launch:
    script = installed / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    argv = ("node", str(script), f"--port={site.port}", "--headless")
    return Launch(argv, site.folder, (("NODE_ENV", "production"),))


def _portkey_headers(site: Site, scenario: Scenario) -> Headers:
    provider = "anthropic" if scenario is Scenario.CROSS else "openai"
    return (
        *BEARER,
        ("x-portkey-provider", provider),
        ("x-portkey-custom-host", f"{site.provider}/v1"),
    )


def _litellm(installed: Path, site: Site) -> Launch:
    def model(name: str, provider: str, base: str) -> object:
        params = {"model": f"{provider}/{name}", "api_base": base, "api_key": "sk-bench"}
        return {"model_name": name, "litellm_params": params}

    config = {
        "model_list": [
            model(OPENAI_MODEL, "openai", f"{site.provider}/v1"),
            model(ANTHROPIC_MODEL, "anthropic", site.provider),
        ]
    }
    argv = (
        str(installed / "bin" / "litellm"),
        "--config",
        site.write("config.yaml", json.dumps(config)),
        "--host=127.0.0.1",
        f"--port={site.port}",
        "--num_workers=1",
    )
    env = (
        ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
        ("LITELLM_LOG", "ERROR"),
        ("LITELLM_MODE", "PRODUCTION"),
        ("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true"),  # without keys, as the other peers
    )
    return Launch(argv, site.folder, env)


BOTH = (Scenario.SAME, Scenario.CROSS)

GATEWAYS: tuple[Gateway, ...] = (
    Gateway("turnout", _turnout, (Scenario.SAME, Scenario.AUTO, Scenario.CROSS), _turnout_headers),
    Gateway("envoy", _envoy),
    Gateway("smg", _smg),
    Gateway("ferrogw", _ferrogw, BOTH),
    Gateway("portkey", _portkey, BOTH, _portkey_headers),
    Gateway("litellm", _litellm, BOTH, ready_s_max=90.0),
)

__all__ = ["GATEWAYS", "KEY", "Gateway", "Headers", "Site"]
