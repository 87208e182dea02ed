"""One client's script as a subprocess: what it is given, how long it may take, and what its lines say.

The environment is a list of what is allowed, never what happens to be there: a key of the user's must not reach a client, and no client may
find its own configuration. The home folder is new for every run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from tests.clients.catalog import SCRIPTS, Client
from tests.clients.install import programs

SCRIPT_S_MAX = 300
TROUBLE_CHARS_MAX = 1500
SHARED = SCRIPTS / "shared"
INHERITED = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE")
QUIET = {
    "DO_NOT_TRACK": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "AIDER_ANALYTICS_DISABLE": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}

# Which models a run asks for: those that the scripts name; models of the other dialect's providers, so that everything is translated; auto.
Models = Literal["named", "crossed", "auto"]
CROSSED = {
    "gpt-4o": "claude-sonnet-4-6",
    "gpt-4o-mini": "claude-haiku-4-5",
    "gpt-5.4": "claude-sonnet-4-6",
    "claude-sonnet-4-6": "gpt-5.4",
    "gemini-3.8-flash": "claude-sonnet-4-6",
}
MODELS: tuple[Models, ...] = get_args(Models)
_MODEL = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(CROSSED, key=len, reverse=True))) + r")\b")


class Cell(Struct, frozen=True, forbid_unknown_fields=True):
    """What a script reports of one check: `why` it failed, or None."""

    api: str
    feature: str
    why: str | None


class Outcome(Struct, frozen=True):
    """`trouble` is what kept the script from reporting as expected; `asked` the hosts that it looked for outside; `expected` why it had to fail."""

    client: str
    cells: tuple[Cell, ...] = ()
    trouble: str | None = None
    asked: tuple[str, ...] = ()
    expected: str = ""

    @property
    def works(self) -> bool:
        return self.trouble is None and all(cell.why is None for cell in self.cells)

    @property
    def as_expected(self) -> bool:
        return self.works is not bool(self.expected)


def environment(client: Client, folder: Path, home: Path, url: str, proxy: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    outside = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy)
    inside = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    return {
        **kept,
        **QUIET,
        **outside,
        **inside,
        "PATH": f"{programs(client, folder)}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "HOME": str(home),
        "LLM_USER_PATH": str(home / "llm"),
        "CODEX_HOME": str(home / "codex"),
        "CLAUDE_CONFIG_DIR": str(home / "claude"),
        "PYTHONPATH": str(SHARED),
        "TURNOUT_URL": url,
    }


def asking_for(models: Models, text: str) -> str:
    """The script, with its model names replaced."""
    if models == "named":
        return text
    return _MODEL.sub(lambda match: "auto" if models == "auto" else CROSSED[match[0]], text)


def _command(client: Client, folder: Path, home: Path, models: Models) -> list[str]:
    # Node looks for packages beside the script, so that script goes where the packages are.
    script = (folder if client.suffix == ".mjs" else home) / client.script.name
    text = client.script.read_text(encoding="utf-8")
    script.write_text(asking_for(models, text), encoding="utf-8")
    if client.suffix == ".mjs":
        shutil.copy(SHARED / "checks.mjs", folder)
        return ["node", str(script)]
    python = sys.executable if client.installer == "npm" else str(folder / "bin" / "python")
    # -P: a script may bear the name of the package that it imports.
    return [python, "-P", str(script)]


def cells_of(client: Client, output: str) -> tuple[Cell, ...]:
    """What the lines report; other lines are the client's own. Raises ValueError unless exactly the catalog's cells are there."""
    lines = [line for line in output.splitlines() if line.startswith('{"api"')]
    cells = tuple(msgspec.json.decode(line, type=Cell) for line in lines)
    reported = [(cell.api, cell.feature) for cell in cells]
    if sorted(reported) != sorted(client.cells):
        unlike = sorted(set(reported) ^ client.cells) or "some twice"
        raise ValueError(f"the script did not report the cells of the catalog: {unlike}")
    return cells


def run(client: Client, folder: Path, url: str, proxy: str, models: Models = "named") -> Outcome:
    """Never raises for what the client does."""
    with tempfile.TemporaryDirectory(prefix="turnout-client-", ignore_cleanup_errors=True) as scratch:
        home, work = Path(scratch, "home"), Path(scratch, "work")
        home.mkdir()
        work.mkdir()
        try:
            done = subprocess.run(
                _command(client, folder, home, models),
                cwd=work,
                env=environment(client, folder, home, url, proxy),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SCRIPT_S_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(client.name, trouble=f"the script took more than {SCRIPT_S_MAX} s")
    try:
        return Outcome(client.name, cells_of(client, done.stdout))
    except (ValueError, msgspec.DecodeError) as error:
        return Outcome(client.name, trouble=f"{error}\n{(done.stdout + done.stderr)[-TROUBLE_CHARS_MAX:]}")
