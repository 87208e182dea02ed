"""The list of commands. Each is a thin shell: read arguments, call a module beside this one, print.

Modules are imported inside the commands, so that `turnout serve` does not pay for what it does not use.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from turnout import __version__

app = typer.Typer(
    name="turnout",
    help="Send every request to a model that will do the job, within the rules and the money, and keep answering when providers fail.",
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

CONFIG_DEFAULT = Path("turnout.yaml")
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Configuration file; `turnout.yaml` here, if there is one.", show_default=False
    ),
]
HostOption = Annotated[str | None, typer.Option(help="Address to listen on.", show_default=False)]
PortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port to listen on; 0 lets the system choose.", show_default=False),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"turnout {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _do(as_json: bool, command: Callable[[], int]) -> NoReturn:
    from turnout.cli.terminal import guarded

    raise typer.Exit(guarded(as_json, command))


@app.command(epilog="Example: `turnout run --port 8080`")
def run(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    seed: Annotated[int, typer.Option(help="Seed of the simulated providers.")] = 1,
    speed: Annotated[
        float, typer.Option(min=0, help="Speed of the simulated providers: 1 is real time, 0 no delay.")
    ] = 1.0,
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Add simulated providers, although there are keys of real ones."),
    ] = False,
) -> None:
    """Start the gateway with nothing configured: on the providers whose keys are in the environment; without any, on simulated ones."""
    from turnout.cli import serving

    raise typer.Exit(serving.run(host, port, seed, speed, simulate))


@app.command(epilog="Example: `turnout serve --config turnout.yaml --port 8080 --workers 2`")
def serve(
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port.")] = 1,
) -> None:
    """Start the gateway by a configuration file. A changed file is taken over while running (or send SIGHUP)."""
    from turnout.cli import serving

    raise typer.Exit(serving.serve(config or CONFIG_DEFAULT, host, port, workers))


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
UrlOption = Annotated[str, typer.Option(help="Where the gateway listens.", envvar="TURNOUT_URL")]
KeyOption = Annotated[
    str,
    typer.Option(help="Key of the gateway, if it asks for one.", envvar="TURNOUT_KEY", show_default=False),
]
URL_DEFAULT = "http://127.0.0.1:8080"


@app.command(epilog="Example: `turnout init && turnout check && turnout serve`")
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = CONFIG_DEFAULT,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a configuration to start from, with the providers whose keys are in the environment."""
    from turnout.cli import configuring

    _do(json, lambda: configuring.init(path, force, json))


@app.command(epilog="Example: `turnout check turnout.yaml`")
def check(
    path: Annotated[Path, typer.Argument(help="File to check.")] = CONFIG_DEFAULT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are errors: status 1.")] = False,
    json: JsonOption = False,
) -> None:
    """Check a configuration: every problem with its file, line, key and the values that are allowed.

    Status 0: the gateway takes it, though there may be warnings; 1: it does not; 2: the file cannot be read.
    """
    from turnout.cli import configuring

    _do(json, lambda: configuring.check(path, strict, json))


@app.command(epilog='Example: `turnout route "Translate to French: good morning"`')
def route(
    prompt: Annotated[str, typer.Argument(help="What the request would say; `-` reads standard input.")],
    model: Annotated[str, typer.Option(help="Model, alias, `auto`, `auto:TIER` or `auto:TASK`.")] = "auto",
    task: Annotated[str | None, typer.Option(help="Task, if known.", show_default=False)] = None,
    priority: Annotated[
        str | None, typer.Option(help="`high`, `normal` or `low`.", show_default=False)
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget-usd", help="Most that it may cost.", show_default=False)
    ] = None,
    compliance: Annotated[
        str | None, typer.Option(help="Policies, comma-separated.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Explain where a request would go, and why. Calls no model."""
    from turnout.cli import routing

    controls = {"task": task, "priority": priority, "budget_usd": budget, "compliance": compliance}
    given = {name: value for name, value in controls.items() if value is not None}
    _do(json, lambda: routing.route(prompt, model, given, config, json))


@app.command(epilog='Example: `turnout chat "What is a turnout on a railway?"`')
def chat(
    prompt: Annotated[
        str | None, typer.Argument(help="What to say; without it, a conversation.", show_default=False)
    ] = None,
    model: Annotated[str, typer.Option(help="Model, alias or `auto`.")] = "auto",
    system: Annotated[str | None, typer.Option(help="System prompt.", show_default=False)] = None,
    url: UrlOption = URL_DEFAULT,
    key: KeyOption = "",
    json: JsonOption = False,
) -> None:
    """Talk to a model through a running gateway."""
    from turnout.cli import chatting

    _do(json, lambda: chatting.chat(prompt, model, system, url, key, json))


@app.command(epilog="Example: `turnout models --json`")
def models(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the configured models: provider, tier, window, price, fallbacks."""
    from turnout.cli import listing

    _do(json, lambda: listing.models(config, json))


@app.command(epilog="Example: `turnout providers --known`")
def providers(
    config: ConfigOption = None,
    known: Annotated[
        bool, typer.Option("--known", help="List all providers that Turnout knows by name.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List the configured providers."""
    from turnout.cli import listing

    _do(json, lambda: listing.providers(config, known, json))


@app.command(
    epilog="Example: `turnout logs --errors --since 1h`, `turnout logs --follow` or `turnout logs --since today --team search --sum`"
)
def logs(
    model: Annotated[str | None, typer.Option(help="Requested or served model.", show_default=False)] = None,
    provider: Annotated[str | None, typer.Option(help="Who answered.", show_default=False)] = None,
    key: Annotated[str | None, typer.Option(help="Name of the key.", show_default=False)] = None,
    user: Annotated[str | None, typer.Option(help="Whose key.", show_default=False)] = None,
    team: Annotated[str | None, typer.Option(help="Which team's key.", show_default=False)] = None,
    cost_center: Annotated[str | None, typer.Option(help="Who pays.", show_default=False)] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            help="Tag of the request, as `k=v`, or `k` for any value; all must hold.", show_default=False
        ),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Task, as decided or given.", show_default=False)] = None,
    tier: Annotated[
        str | None, typer.Option(help="`light`, `standard` or `large`.", show_default=False)
    ] = None,
    status: Annotated[int | None, typer.Option(help="HTTP status.", show_default=False)] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Failed requests only.")] = False,
    request: Annotated[
        str | None, typer.Option(help="One request, by id, in full.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Age (`30m`, `2h`, `7d`), date or time (`2026-11-30`, `2026-11-30T14:00`, `14:00`), `today` or `yesterday`.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="As `--since`; what came before.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="Most rows.")] = 20,
    sum: Annotated[
        bool, typer.Option("--sum", help="Totals of all rows that match, instead of the rows.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new rows as they come.")] = False,
    store: Annotated[
        str | None, typer.Option(help="Store URL, instead of the configuration's.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show the request log, newest last. Columns are chosen by the width of the terminal; `--json` has everything."""
    from turnout.cli import logs as module

    asked = module.Asked(
        request_id=request,
        model=model,
        provider=provider,
        user=user,
        key=key,
        team=team,
        cost_center=cost_center,
        tags=tuple(tag or ()),
        task=task,
        tier=tier,
        status=status,
        errors=errors,
        since=since,
        until=until,
        limit=limit,
    )
    _do(json, lambda: module.logs(asked, sum, follow, store, config, json))


@app.command(epilog="Example: `turnout bench --requests 2000 --concurrency 32 --model gpt-4o-mini`")
def bench(
    url: UrlOption = URL_DEFAULT,
    key: KeyOption = "",
    model: Annotated[str, typer.Option(help="Model to ask.")] = "auto",
    requests: Annotated[int, typer.Option("--requests", "-n", min=1, max=10_000_000, help="How many.")] = 200,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, max=10_000, help="How many at once.")
    ] = 8,
    stream: Annotated[
        bool, typer.Option("--stream", help="Streamed answers: time to first token, too.")
    ] = False,
    prompt: Annotated[str, typer.Option(help="What to ask.")] = "Say hello in one sentence.",
    json: JsonOption = False,
) -> None:
    """Load a running gateway and report rates and latencies. (`make bench` compares with other gateways.)"""
    from turnout.cli import benching

    _do(json, lambda: benching.bench(url, key, model, requests, concurrency, stream, prompt, json))
