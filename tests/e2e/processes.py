"""Starting the real command, waiting until it is ready, ending it by its process id."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from turnout.upstream.known import load_known

READY = re.compile(r"ready on (http://\S+)")


def environment(**extra: str) -> dict[str, str]:
    """The environment without anybody's provider keys."""
    keys = {provider.key_variable for provider in load_known().providers.values()}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in keys and not name.endswith("_API_KEY")
    }
    return {**kept, "TURNOUT_TEST": "1", "COLUMNS": "200", **extra}


def turnout(
    *arguments: str, cwd: Path, stdin: str | None = None, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "turnout", *arguments],
        cwd=cwd,
        env=environment(**extra),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Process:
    """A long-running command; `url` once it says it is ready. `lines` are its standard error's, or both streams' where `piped`."""

    def __init__(self, *arguments: str, cwd: Path, piped: bool = False, **extra: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "turnout", *arguments],
            cwd=cwd,
            env=environment(**extra),
            stdout=subprocess.PIPE if piped else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if piped else subprocess.PIPE,
            text=True,
        )
        self._pipe = self.process.stdout if piped else self.process.stderr
        self.lines: list[str] = []
        self.url = ""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._pipe is not None
        for line in self._pipe:
            with self._changed:
                self.lines.append(line.rstrip())
                if match := READY.search(line):
                    self.url = match[1]
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, text: str, timeout_s: float = 30.0, count: int = 1) -> str:
        """The first line (or a later one, by `count`), from now or before, that holds `text`."""

        def found() -> str | None:
            return next(iter([line for line in self.lines if text in line][count - 1 :]), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self.process.poll() is not None, timeout_s)
            line = found()
        assert line is not None, f"never said {text!r}: {self.lines}"
        return line

    def ready(self) -> Process:
        self.wait_for("ready on")
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(30)
        self._reader.join(5)
        if self._pipe is not None:
            self._pipe.close()
        return status

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.stop(signal.SIGKILL)
