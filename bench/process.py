"""Child processes: started on one core, watched through /proc, ended by the ids that were started here.

A gateway may fork; CPU time and memory are those of its whole process tree. CPU seconds come from utime and stime in
/proc/PID/stat, those of reaped children included; memory is VmRSS now and VmHWM at its highest.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

GATEWAY_CORE = 0
LOAD_CORE = 1
STOP_S_MAX = 8.0
TREE_PIDS_MAX = 256
TICKS_S = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


class Launch(Struct, frozen=True):
    """A command, its environment (nothing of ours is inherited but PATH and HOME) and where it runs."""

    argv: tuple[str, ...]
    folder: Path
    env: tuple[tuple[str, str], ...] = ()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def pinned(argv: tuple[str, ...], core: int) -> list[str]:
    """The command bound to one core; unbound where there is no taskset or no second core."""
    if shutil.which("taskset") is None or (os.cpu_count() or 1) < 2:
        return list(argv)
    return ["taskset", "-c", str(core), *argv]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in PROC.glob(f"{pid}/task/*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            continue
    return found


def tree(pid: int) -> list[int]:
    """The process and all its descendants that live now."""
    found = [pid]
    for parent in found:
        if len(found) < TREE_PIDS_MAX:
            found += _children(parent)
    return found


def _cpu_ticks(pid: int) -> int:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])


def _status_kb(pid: int, name: str) -> int:
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name + ":")), 0)


class Running:
    """A started process. `log` holds what it printed."""

    def __init__(self, launch: Launch, core: int) -> None:
        self.log = launch.folder / "output.log"
        env = {"PATH": os.environ.get("PATH", ""), "HOME": str(launch.folder), **dict(launch.env)}
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                pinned(launch.argv, core),
                cwd=launch.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.started_s = time.monotonic()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def cpu_s(self) -> float:
        return sum(_cpu_ticks(pid) for pid in tree(self._process.pid)) / TICKS_S

    def rss_mb(self) -> float:
        return sum(_status_kb(pid, "VmRSS") for pid in tree(self._process.pid)) / 1024

    def peak_mb(self) -> float:
        return sum(_status_kb(pid, "VmHWM") for pid in tree(self._process.pid)) / 1024

    def last_words(self, chars_max: int = 300) -> str:
        text = self.log.read_text(errors="replace").strip()
        return " ".join(text[-chars_max:].split())

    def stop(self) -> None:
        pids = tree(self._process.pid)
        self._process.terminate()
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S_MAX)
        for pid in pids[1:]:
            _kill_orphan(pid)


class Spent(Struct, frozen=True):
    """Of a stretch of time: the gateway's CPU seconds, and the share of its core that others took (0 to 1)."""

    cpu_s: float
    others_share: float


def _core_busy_s(core: int) -> float:
    """Seconds that a core worked since boot, or was taken away by the host; interrupts left out."""
    with (PROC / "stat").open() as lines:
        fields = next((line.split() for line in lines if line.startswith(f"cpu{core} ")), [])
    return sum(int(fields[i]) for i in (1, 2, 3, 8)) / TICKS_S if fields else 0.0


class Meter:
    """Measures from its making to `read`. Without a process there is only the core."""

    def __init__(self, process: Running | None) -> None:
        self._process = process
        self._began_s, self._busy_s, self._cpu_s = time.monotonic(), _core_busy_s(GATEWAY_CORE), self._cpu()

    def _cpu(self) -> float:
        return self._process.cpu_s() if self._process else 0.0

    def read(self) -> Spent:
        cpu_s = self._cpu() - self._cpu_s
        others_s = _core_busy_s(GATEWAY_CORE) - self._busy_s - cpu_s
        return Spent(cpu_s, max(0.0, others_s / (time.monotonic() - self._began_s)))


def _kill_orphan(pid: int) -> None:
    """Ends a descendant that outlived its parent; one that has been adopted by init is surely left behind."""
    if _parent(pid) == 1:
        os.kill(pid, signal.SIGKILL)


def _parent(pid: int) -> int | None:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


@contextmanager
def running(launch: Launch, core: int) -> Iterator[Running]:
    process = Running(launch, core)
    try:
        yield process
    finally:
        process.stop()


def wait_until(ready: Callable[[], bool], process: Running, seconds_max: float) -> float | None:
    """Seconds from the start until `ready`; None when the process ended or the time is up."""
    while (elapsed := time.monotonic() - process.started_s) < seconds_max and process.alive:
        if ready():
            return elapsed
        time.sleep(0.005)
    return None


__all__ = [
    "GATEWAY_CORE",
    "LOAD_CORE",
    "Launch",
    "Meter",
    "Running",
    "Spent",
    "free_port",
    "pinned",
    "running",
    "wait_until",
]
