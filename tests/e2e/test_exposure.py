"""Who may call: no start and no reload leaves an open socket without keys, whatever becomes of the file."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.harness import Running
from tests.e2e.processes import Process, turnout
from tests.e2e.test_process import config

KEY = "sk-ann-0123456789"
KEYS = f"keys: [{{name: ann, key: {KEY}}}]\n"
OPEN = "{host: 0.0.0.0, port: 0}"


def local(url: str) -> str:
    return f"http://127.0.0.1:{url.rpartition(':')[2]}"


def refused(url: str) -> float:
    page = httpx2.get(url + "/metrics", headers={"authorization": f"Bearer {KEY}"}).text
    (line,) = [line for line in page.splitlines() if line.startswith("turnout_config_refused ")]
    return float(line.split()[1])


def status(url: str, key: str | None, model: str = "gpt-4o") -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx2.post(url + "/v1/chat/completions", json=body, headers=headers, timeout=20).status_code


LOSSES = ["", "server: {port: 0}\n", "both gone", "models gone", "keys gone", "cut"]


@pytest.mark.parametrize("host", ["file", "option", "loopback"])
def test_a_reload_never_drops_authentication(tmp_path: Path, running: Running, host: str) -> None:
    file = tmp_path / "turnout.yaml"
    server = OPEN if host == "file" else "{port: 0}"
    whole = config(running, server=server, rest=KEYS)
    changed = {
        "both gone": config(running),
        "models gone": whole.replace("models:\n  gpt-4o: {provider: openai}\n", ""),
        "keys gone": config(running, server="{host: 127.0.0.1, port: 0}"),
        "cut": whole[: whole.index("keys:")],
    }
    file.write_text(whole)
    option = ["--host", "0.0.0.0"] if host == "option" else []
    with Process("serve", *option, cwd=tmp_path) as process:
        url = local(process.ready().url)
        assert (status(url, None), status(url, KEY)) == (401, 200)
        for count, loss in enumerate(LOSSES, start=1):
            file.write_text(changed.get(loss, loss))
            process.process.send_signal(signal.SIGHUP)
            process.wait_for("is refused, the old one stays in force", count=count)
            assert (status(url, None), status(url, KEY)) == (401, 200), loss
            assert refused(url) == 1
        file.write_text(whole)
        process.process.send_signal(signal.SIGHUP)
        process.wait_for("configuration reloaded")
        assert refused(url) == 0
        assert process.stop() == 0


def test_a_published_key_is_none(tmp_path: Path, running: Running) -> None:
    keys = "keys: [{name: app, key: change-this-key}]\n"
    file = tmp_path / "turnout.yaml"
    file.write_text(config(running, server=OPEN, rest=keys))
    checked = turnout("check", cwd=tmp_path)
    assert checked.returncode == 1
    assert "keys[0].key" in checked.stderr and "change-this-key" not in checked.stderr
    assert turnout("serve", cwd=tmp_path).returncode == 2
    file.write_text(config(running, rest=keys))
    assert turnout("check", cwd=tmp_path).returncode == 0
    started = turnout("serve", "--host", "0.0.0.0", cwd=tmp_path)
    assert started.returncode == 2
    assert "app" in started.stderr and "change-this-key" not in started.stderr


def test_a_port_that_is_put_back_needs_no_restart(tmp_path: Path, running: Running) -> None:
    file = tmp_path / "turnout.yaml"
    file.write_text(config(running))
    with Process("serve", cwd=tmp_path) as process:
        port = process.ready().url.rpartition(":")[2]

        def change(server: str, count: int) -> list[str]:
            before = len(process.lines)
            file.write_text(config(running, server=server))
            process.process.send_signal(signal.SIGHUP)
            process.wait_for("configuration reloaded", count=count)
            file.write_text("nonsense")  # whatever it has to say comes before this
            process.process.send_signal(signal.SIGHUP)
            process.wait_for("is refused", count=count)
            return [line for line in process.lines[before:] if "a restart is needed" in line]

        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            away = f"{{port: {other.getsockname()[1]}}}"
            assert any("server.port" in line for line in change(away, 1))
        assert change("{port: 0}", 2) == []
        assert change(f"{{port: {port}}}", 3) == []
        assert any("server.head_ms" in line for line in change("{port: 0, head_ms: 9000}", 4))
        assert any("server.head_ms" in line for line in change("{port: 0, head_ms: 9000, drain_ms: 5}", 5))
        assert process.stop() == 0


def test_ipv6_counts(tmp_path: Path, running: Running) -> None:
    (tmp_path / "turnout.yaml").write_text(config(running))
    done: Any = turnout("serve", "--host", "::", cwd=tmp_path)
    assert done.returncode == 2
    assert "keys" in done.stderr or "cannot listen" in done.stderr
