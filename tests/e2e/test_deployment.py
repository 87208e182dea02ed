"""What docs/deployment.md says is compared with the code, and run where the programs for it are here.

The Dockerfile is not built (there may be no engine): its files, its last command and its health check are tried without one.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests.e2e.harness import Running
from tests.e2e.processes import environment, turnout
from turnout.config import schema
from turnout.core.card import Deadlines
from turnout.edge import serve
from turnout.edge.http import HttpLimits
from turnout.store.sqlite import path_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deployment.md").read_text()
NGINX_CONF = (ROOT / "docs" / "deployment" / "nginx.conf").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
LOG_CLOSE_S = 10  # `RequestLog.close`
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
nginx_here = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def block(language: str) -> str:
    return str(re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0])


def instructions(name: str) -> list[str]:
    """Arguments of an instruction, wherever it stands; lines that go on are joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in joined.splitlines() if line.strip().startswith(name + " ")]


def until_stopped_s(server: schema.Server) -> float:
    return (server.linger_ms + server.drain_ms) / 1000 + serve.CUT_S + LOG_CLOSE_S


# -- the container
def test_what_the_dockerfile_copies_exists_and_reaches_the_engine() -> None:
    copied = [part for line in instructions("COPY") if "--from" not in line for part in line.split()[:-1]]
    assert copied
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    for path in copied:
        assert (ROOT / path).exists()
        assert path.split("/")[0] in allowed


def test_the_dockerfile_installs_what_make_install_installs() -> None:
    runs = " ".join(instructions("RUN"))
    makefile = (ROOT / "Makefile").read_text()
    for part in ("--no-deps --require-hashes -r", "requirements/base.lock", "-m turnout.upstream.prices"):
        assert part in runs
        assert part in makefile
    said = "".join(
        subprocess.run(
            [sys.executable, "-m", "pip", command, "--help"], capture_output=True, text=True
        ).stdout
        for command in ("install", "wheel")
    )
    flags = set(re.findall(r"--[a-z-]+", " ".join(re.findall(r"pip (?:install|wheel) [^&]*", runs))))
    assert [flag for flag in flags if flag not in said] == []


def test_the_container_runs_as_nobody_special_and_is_stopped_in_order() -> None:
    (user,) = instructions("USER")
    assert int(user) > 0
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


def test_the_last_command_is_one_of_ours() -> None:
    program, *arguments = json.loads(instructions("CMD")[-1])
    assert program == "turnout"
    said = turnout(arguments[0], "--help", cwd=ROOT)
    assert said.returncode == 0
    assert [each for each in arguments if each.startswith("--") and each not in said.stdout] == []


def test_the_health_check_tells_a_gateway_from_none(running: Running) -> None:
    _, _, program = instructions("HEALTHCHECK")[0].partition("CMD ")
    _, *arguments = json.loads(program)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
    for url, status in ((running.url, 0), (closed, 1)):
        command = [each.replace("http://127.0.0.1:8080", url) for each in arguments]
        done = subprocess.run([sys.executable, *command], capture_output=True, check=False, timeout=30)
        assert done.returncode == status


# -- systemd, Kubernetes, numbers
def test_whoever_stops_it_waits_long_enough() -> None:
    needed = until_stopped_s(schema.Server())
    assert "linger + drain + 15 s" in PAGE
    assert serve.CUT_S + LOG_CLOSE_S <= 15
    assert int(re.findall(r"TimeoutStopSec=(\d+)", PAGE)[0]) > needed
    assert int(re.findall(r"--stop-timeout (\d+)", PAGE)[0]) > needed
    pod = yaml.safe_load(block("yml"))["spec"]
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > pause + needed


def test_probes_ask_paths_that_answer_without_a_key(running: Running) -> None:
    (container,) = yaml.safe_load(block("yml"))["spec"]["containers"]
    paths = [
        container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    ]
    assert paths == ["/readyz", "/readyz", "/healthz"]
    for path in paths:
        done = subprocess.run(["curl", "-sf", running.url + path], capture_output=True, check=False)
        assert done.returncode == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "turnout.service"
    unit.write_text(block("ini").replace("/opt/turnout/.venv/bin/turnout", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if "turnout.service" in line] == []


def test_the_unit_starts_what_there_is() -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", block("ini"), re.MULTILINE)
    _, command, *arguments = line.split()
    assert turnout(command, "--help", cwd=ROOT).returncode == 0
    assert arguments[0] in turnout(command, "--help", cwd=ROOT).stdout


def test_the_backup_is_a_log(running: Running, tmp_path: Path) -> None:
    running.rows()
    (statement,) = re.findall(r'^sqlite3 turnout.db "(VACUUM.*)"$', PAGE, re.MULTILINE)
    with sqlite3.connect(path_of(running.gateway.config.store)) as log:
        log.execute(statement.replace("backup.db", str(tmp_path / "backup.db")))
    log.close()
    copy = sqlite3.connect(tmp_path / "backup.db")
    assert copy.execute("SELECT count(*) FROM request_log").fetchone()[0] >= 0
    copy.close()


def test_commands_of_the_page_have_their_options() -> None:
    for line in re.findall(r"`turnout ([a-z]+ [^`]*)`", PAGE):
        command, *arguments = shlex.split(line)
        said = turnout(command, "--help", cwd=ROOT).stdout
        assert [each for each in arguments if each.startswith("--") and each not in said] == []


# -- nginx
def test_the_proxy_waits_longer_and_takes_as_much_as_the_gateway() -> None:
    def seconds(name: str) -> int:
        return int(re.findall(rf"\b{name}\s+(\d+)s;", NGINX_CONF)[0])

    assert seconds("proxy_read_timeout") > Deadlines().total_ms / 1000
    assert seconds("keepalive_timeout") < HttpLimits().keep_alive_s
    (size,) = re.findall(r"client_max_body_size (\d+)m;", NGINX_CONF)
    assert int(size) * 1024 * 1024 == schema.Server().body_bytes_max
    assert int(re.findall(r"response_header_timeout (\d+)s", PAGE)[0]) > Deadlines().total_ms / 1000


class Proxy:
    """nginx with the committed file, before a gateway. `port` speaks TLS."""

    def __init__(self, folder: Path, gateway: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            self.port: int = unused.getsockname()[1]
        self.authority = trustme.CA()
        issued = self.authority.issue_cert("localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
        self.log = folder / "access.log"
        site = NGINX_CONF.replace("127.0.0.1:8080", gateway.removeprefix("http://"))
        site = site.replace("listen 443", f"listen 127.0.0.1:{self.port}")
        # the gateway asks for no buffering by a header, too: here the file alone must see to it
        site = site.replace("proxy_cache off;", "proxy_cache off; proxy_ignore_headers X-Accel-Buffering;")
        site = re.sub(r"/etc/ssl/turnout/\w+\.pem", str(folder / "both.pem"), site)
        (folder / "site.conf").write_text(site.replace("/var/log/nginx/turnout.log", str(self.log)))
        paths = "\n".join(
            f"{kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")
        )
        self.conf = folder / "nginx.conf"
        self.conf.write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log stderr notice;\n"
            f"events {{}}\nhttp {{\n{paths}\naccess_log off;\ninclude {folder}/site.conf;\n}}\n"
        )

    def command(self, *more: str) -> list[str]:
        assert NGINX is not None
        return [NGINX, "-e", "stderr", "-c", str(self.conf), *more]

    def connect(self) -> HTTPSConnection:
        trust = ssl.create_default_context()
        self.authority.configure_trust(trust)
        return HTTPSConnection("localhost", self.port, timeout=20, context=trust)


@pytest.fixture
def proxy(tmp_path: Path, healthy: Running) -> Iterator[Proxy]:
    made = Proxy(tmp_path, healthy.url)
    process = subprocess.Popen(made.command(), stderr=subprocess.PIPE, text=True, env=environment())
    assert process.stderr is not None
    for line in process.stderr:
        if "start" in line or "OS:" in line or "built by" in line:
            break
    rest = threading.Thread(target=process.stderr.read, daemon=True)
    rest.start()
    for _ in range(2_000):
        try:
            socket.create_connection(("127.0.0.1", made.port), 1).close()
            break
        except ConnectionRefusedError:
            os.sched_yield()
    yield made
    process.terminate()
    process.wait(20)
    rest.join(5)
    process.stderr.close()


def post(connection: HTTPSConnection, **more: Any) -> Any:
    body = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        **more,
    }
    connection.request(
        "POST", "/v1/chat/completions?key=secret-key", json.dumps(body), {"content-type": "application/json"}
    )
    return connection.getresponse()


@nginx_here
def test_nginx_takes_the_file(tmp_path: Path, running: Running) -> None:
    done = subprocess.run(
        Proxy(tmp_path, running.url).command("-t"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@nginx_here
def test_a_stream_passes_nginx_piece_by_piece(proxy: Proxy, healthy: Running) -> None:
    """The provider stops after three pieces: what a buffer holds back would never arrive."""
    healthy.fault("openai", {"kind": "stall_after", "chunks": 3}, model="gpt-4o")
    connection = proxy.connect()
    reply = post(connection, stream=True)
    assert reply.status == 200
    line = b""
    while b'"content":"' not in line or b'"content":""' in line:
        line = reply.readline()
        assert line
    connection.close()


@nginx_here
def test_whole_replies_and_metadata_pass_nginx_and_no_key_is_logged(proxy: Proxy) -> None:
    connection = proxy.connect()
    for _ in range(2):
        reply = post(connection)
        assert json.load(reply)["choices"]
        assert reply.headers["x-turnout-model"] == "openai/gpt-4o"
    connection.request("GET", "/metrics")
    assert connection.getresponse().status == 404
    connection.close()
    logged = proxy.log.read_text()
    assert reply.headers["x-turnout-request-id"] in logged
    assert "secret-key" not in logged


@nginx_here
def test_a_body_that_the_gateway_takes_passes_nginx(proxy: Proxy) -> None:
    connection = proxy.connect()
    connection.putrequest("POST", "/v1/chat/completions")
    connection.putheader("content-length", str(schema.Server().body_bytes_max + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    connection = proxy.connect()
    reply = post(connection, user="x" * (3 * 1024 * 1024))
    assert reply.status == 200
    connection.close()
