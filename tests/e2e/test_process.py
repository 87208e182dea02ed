"""The gateway as a process: ready, drain, reload, workers, and refusals that say what to do."""

from __future__ import annotations

import concurrent.futures
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.contract.test_log_store import row
from tests.e2e.harness import Running
from tests.e2e.processes import Process, turnout
from turnout.core.errors import Kind
from turnout.store.ports import LogFilter
from turnout.store.sqlite import SqliteStore

ASK = {"messages": [{"role": "user", "content": "What is the capital of France?"}]}


def config(gateway: Running, **parts: str) -> str:
    """A configuration that uses the shared simulated providers."""
    server = parts.get("server", "{port: 0}")
    models = parts.get("models", "  gpt-4o: {provider: openai}\n")
    return (
        f"server: {server}\nstore: sqlite:///log.db\n"
        f"providers:\n  openai: {{base_url: '{gateway.provider_urls['openai']}', api_key: sim-openai}}\n"
        f"models:\n{models}" + parts.get("rest", "")
    )


@pytest.fixture
def folder(tmp_path: Path, running: Running) -> Iterator[Path]:
    (tmp_path / "turnout.yaml").write_text(config(running))
    yield tmp_path
    running.heal()


def ask(url: str, model: str = "gpt-4o", **more: Any) -> httpx2.Response:
    return httpx2.post(url + "/v1/chat/completions", json={"model": model, **ASK, **more}, timeout=20)


def rows_of(folder: Path) -> int:
    store = SqliteStore(f"sqlite:///{folder}/log.db")
    try:
        return len(store.query(LogFilter(limit=100_000)))
    finally:
        store.close()


def test_run_needs_nothing(tmp_path: Path) -> None:
    with Process("run", "--port", "0", "--speed", "0", cwd=tmp_path) as process:
        url = process.ready().url
        assert "27 models of 6 providers, all simulated" in process.wait_for("ready on")
        assert httpx2.get(url + "/readyz").status_code == 200
        assert "Paris" in ask(url, "auto").text
        assert process.stop() == 0


def test_sigterm_loses_no_row(folder: Path) -> None:
    with Process("serve", cwd=folder) as process:
        url = process.ready().url
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: ask(url).status_code, range(100)))
        assert replies == [200] * 100
        assert process.stop() == 0
    assert rows_of(folder) == 100


def test_a_drain_lets_a_stream_end(folder: Path, running: Running) -> None:
    running.fault("openai", {"kind": "slow_first_token", "ms": 1500}, times=1)
    with Process("serve", cwd=folder) as process:
        url = process.ready().url
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            future = pool.submit(ask, url, stream=True)
            while running.control("openai", "GET", "stats")["open"] == 0:
                pass
            process.process.send_signal(signal.SIGTERM)
            reply = future.result(20)
        assert reply.text.rstrip().endswith("data: [DONE]")
        assert process.stop() == 0
    assert rows_of(folder) == 1


def test_reload_as_a_whole_or_not_at_all(folder: Path, running: Running) -> None:
    file = folder / "turnout.yaml"
    with Process("serve", cwd=folder) as process:
        url = process.ready().url
        assert ask(url, "second").status_code == 404
        file.write_text(
            config(
                running,
                models="  gpt-4o: {provider: openai}\n  second: {provider: openai, id: gpt-4o-mini}\n",
            )
        )
        process.wait_for("configuration reloaded")
        assert ask(url, "second").status_code == 200
        file.write_text(config(running, models="  third: {provider: openai, tier: huge}\n"))
        process.process.send_signal(signal.SIGHUP)
        process.wait_for("refused")
        process.wait_for("huge")
        assert ask(url, "second").status_code == 200
        assert ask(url, "third").status_code == 404
        assert process.stop() == 0


def test_a_key_that_was_taken_away_is_refused_on_an_open_connection_too(
    folder: Path, running: Running
) -> None:
    def keys(*names: str) -> str:
        return "keys:\n" + "".join(f"  - {{name: {name}, key: sk-{name}-0123456789}}\n" for name in names)

    file = folder / "turnout.yaml"
    file.write_text(config(running, rest=keys("ann", "bob")))
    with Process("serve", cwd=folder) as process:
        url = process.ready().url + "/v1/chat/completions"
        headers = {"authorization": "Bearer sk-ann-0123456789"}
        with httpx2.Client(headers=headers, timeout=20) as client:
            for _ in range(3):
                assert client.post(url, json={"model": "gpt-4o", **ASK}).status_code == 200
            file.write_text(config(running, rest=keys("bob")))
            process.wait_for("configuration reloaded")
            assert client.post(url, json={"model": "gpt-4o", **ASK}).status_code == 401
        assert process.stop() == 0


def test_workers_share_a_port_and_a_log(folder: Path) -> None:
    with Process("serve", "--workers", "2", cwd=folder) as process:
        url = process.ready().url
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: ask(url).status_code, range(60))) == [200] * 60
        for _ in range(6):  # whichever worker is asked, it speaks for both
            assert counted(url, 60) == 60
        store = SqliteStore(f"sqlite:///{folder}/log.db")
        workers = {row.worker for row in store.query(LogFilter(limit=100))}
        store.close()
        assert len(workers) == 2
        assert process.stop() == 0
    assert rows_of(folder) == 60


def counted(url: str, wanted: int) -> int:
    """Requests by a scrape of its own connection, once a scrape has seen `wanted`."""
    for _ in range(500):
        text = httpx2.get(url + "/metrics", headers={"connection": "close"}).text
        found = sum(
            int(float(line.rsplit(" ", 1)[1]))
            for line in text.splitlines()
            if line.startswith("turnout_requests_total{")
        )
        if found >= wanted:
            return found
        time.sleep(0.01)
    return found


def test_a_stream_that_is_cut_at_shutdown_says_so(folder: Path, running: Running) -> None:
    (folder / "turnout.yaml").write_text(config(running, server="{port: 0, drain_ms: 1}"))
    running.fault("openai", {"kind": "stall_after", "chunks": 2, "pings": True})
    with Process("serve", cwd=folder) as process:
        url = process.ready().url
        with (
            httpx2.Client(timeout=20) as client,
            client.stream(
                "POST", url + "/v1/chat/completions", json={"model": "gpt-4o", "stream": True, **ASK}
            ) as reply,
        ):
            pieces = reply.iter_text()
            text = next(pieces)
            process.process.send_signal(signal.SIGTERM)
            text += "".join(pieces)
        assert process.process.wait(20) == 0
    assert '"code":"shutting_down"' in text
    assert "[DONE]" not in text
    store = SqliteStore(f"sqlite:///{folder}/log.db")
    (found,) = store.query(LogFilter())
    store.close()
    assert (found.error, found.attempts[0].failure) == ("shutting_down", Kind.SHUTTING_DOWN)
    assert found.cost_nano  # what was sent has been paid for


def test_readiness_ends_before_the_socket_closes(folder: Path, running: Running) -> None:
    running.fault("openai", {"kind": "slow_first_token", "ms": 1000}, times=1)
    with Process("serve", cwd=folder) as process:
        url = process.ready().url
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            future = pool.submit(ask, url)
            while running.control("openai", "GET", "stats")["open"] == 0:
                pass
            process.process.send_signal(signal.SIGTERM)
            while (ready := httpx2.get(url + "/readyz")).status_code == 200:
                pass
            assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
            refused = ask(url)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "shutting_down")
            assert httpx2.get(url + "/healthz").status_code == 200
            assert future.result(20).status_code == 200
        assert process.process.wait(20) == 0


def test_a_port_that_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = turnout("serve", "--port", str(taken.getsockname()[1]), cwd=folder)
    assert done.returncode == 2
    assert "cannot listen" in done.stderr
    assert "--port" in done.stderr


def test_no_file(tmp_path: Path) -> None:
    done = turnout("serve", cwd=tmp_path)
    assert done.returncode == 2
    assert "turnout init" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["serve", "--host", "0.0.0.0"], ["run", "--host", "0.0.0.0", "--port", "0"]]
)
def test_an_open_gateway_stays_on_loopback(folder: Path, arguments: list[str]) -> None:
    done = turnout(*arguments, cwd=folder)
    assert done.returncode == 2
    assert "keys" in done.stderr


def test_a_real_providers_key_brings_the_real_provider(tmp_path: Path) -> None:
    done = turnout("providers", "--json", cwd=tmp_path, OPENAI_API_KEY="sk-test")
    assert '"https://api.openai.com/v1"' in done.stdout


def test_the_log_is_bounded_without_being_asked(folder: Path) -> None:
    store = SqliteStore(f"sqlite:///{folder}/log.db")
    store.append([row(1, time_ms=1), row(2, time_ms=int(time.time() * 1000))])
    with Process("serve", cwd=folder) as process:
        process.ready()
        while len(store.query(LogFilter())) == 2:
            pass
        assert [each.id for each in store.query(LogFilter())] == [2]
        assert process.stop() == 0
    store.close()


def test_a_log_without_bounds_keeps_all(folder: Path, running: Running) -> None:
    (folder / "turnout.yaml").write_text(config(running, rest="log: {keep_days: null, bytes_max: null}\n"))
    store = SqliteStore(f"sqlite:///{folder}/log.db")
    store.append([row(1, time_ms=1)])
    with Process("serve", cwd=folder) as process:
        assert ask(process.ready().url).status_code == 200
        assert process.stop() == 0
    assert len(store.query(LogFilter())) == 2
    store.close()
