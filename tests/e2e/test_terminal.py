"""Commands at a real terminal: a pseudo-terminal, the real process, real signals."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.e2e.harness import Running
from tests.e2e.processes import environment

CTRL_C, CTRL_D = b"\x03", b"\x04"


class Terminal:
    """A command whose standard input and output are a terminal that it controls, so that Ctrl-C is a signal to it."""

    def __init__(self, *arguments: str, cwd: Path, columns: int = 100) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, columns))
        settings = environment(TERM="xterm")
        del settings["COLUMNS"]
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
                "-m",
                "turnout",
                *arguments,
            ],
            cwd=cwd,
            env=settings,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = b""

    def type(self, data: bytes) -> None:
        os.write(self.master, data)

    def wait_for(self, text: bytes, timeout_s: float = 30.0) -> None:
        end = time.monotonic() + timeout_s
        while text not in self.shown:
            assert self._read(end - time.monotonic()), f"never showed {text!r}: {self.shown!r}"

    def _read(self, timeout_s: float) -> bool:
        if timeout_s <= 0 or not select.select([self.master], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += data
        return bool(data)

    def gone(self, within_s: float) -> bool:
        """Whether the command ended; what it showed meanwhile is read."""
        self._read(within_s)
        return self.process.poll() is not None

    def status(self) -> int:
        """Of a command that ends by itself; what it showed is in `shown`."""
        while self._read(30.0):
            pass
        return self.process.wait(30)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
        os.close(self.master)


def test_ctrl_c_at_the_prompt_ends_it(tmp_path: Path, running: Running) -> None:
    with Terminal("chat", "--url", running.url, cwd=tmp_path) as terminal:
        terminal.wait_for(b"> ")
        terminal.type(CTRL_C)
        assert terminal.status() == 130
        assert b"Traceback" not in terminal.shown


def test_ctrl_c_at_a_later_prompt_ends_it(tmp_path: Path, running: Running) -> None:
    with Terminal("chat", "--url", running.url, cwd=tmp_path) as terminal:
        terminal.wait_for(b"> ")
        terminal.type(b"What is the capital of France?\n")
        terminal.wait_for(b"Paris")
        terminal.wait_for(b" ms]\r\n> ")
        terminal.type(CTRL_C)
        assert terminal.status() == 130


def test_ctrl_d_at_the_prompt_is_an_end_like_any_other(tmp_path: Path, running: Running) -> None:
    with Terminal("chat", "--url", running.url, cwd=tmp_path) as terminal:
        terminal.wait_for(b"> ")
        terminal.type(CTRL_D)
        assert terminal.status() == 0


@pytest.mark.parametrize("prompt", [["Hello"], []], ids=["one question", "a conversation"])
def test_ctrl_c_in_an_answer_ends_it(tmp_path: Path, healthy: Running, prompt: list[str]) -> None:
    model = "gpt-4o"
    healthy.fault("openai", {"kind": "stall_after", "chunks": 2})
    with Terminal("chat", *prompt, "--model", model, "--url", healthy.url, cwd=tmp_path) as terminal:
        if not prompt:
            terminal.wait_for(b"> ")
            terminal.type(b"Hello\n")
        while not healthy.gateway.gate.in_flight:
            assert not terminal.gone(0.01), terminal.shown
        terminal.type(CTRL_C)
        assert terminal.status() == 130
        assert b"Traceback" not in terminal.shown


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_logs_fit_the_terminal(tmp_path: Path, running: Running, columns: int) -> None:
    with Terminal("chat", "Hi", "--url", running.url, cwd=tmp_path) as terminal:
        assert terminal.status() == 0
    running.rows()
    store = running.gateway.config.store
    with Terminal("logs", "-n", "5", "--store", store, cwd=tmp_path, columns=columns) as terminal:
        assert terminal.status() == 0
    lines = terminal.shown.decode().splitlines()
    assert lines[0].startswith("time")
    assert len(lines) >= 2
    assert all(len(line) <= columns for line in lines)


def test_following_ends_with_ctrl_c(tmp_path: Path, running: Running) -> None:
    store = running.gateway.config.store
    with Terminal("logs", "--follow", "--store", store, cwd=tmp_path) as terminal:
        terminal.wait_for(b"answered")
        terminal.type(CTRL_C)
        assert terminal.status() == 0
