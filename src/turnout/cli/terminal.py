"""What commands print, and how: text that others wrote, tables, JSON, errors.

Promise: nothing that a model, a provider or a caller wrote reaches the terminal as a control: escape sequences, C1 controls, marks that
turn the direction of text and line ends that would forge a row are shown as `\\x1b`, `\\u202e`. It must not know what is printed.

With `--json`, standard output holds JSON whatever happens: a result, or `{"error": {"code": …, "message": …}}`; the exit status tells
which. Without, errors go to standard error.
"""

from __future__ import annotations

import asyncio
import select
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar
from unicodedata import category

import msgspec

_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # inside words and emoji; they move nothing
_LAYOUT = frozenset("\n\t")
WIDTH_ELSEWHERE = 1000  # of what is no terminal

T = TypeVar("T")


class CommandError(Exception):
    """A command cannot do it; the message says why and what to do next. `code` is for programs, as are the `details`."""

    def __init__(self, message: str, code: str = "failed", **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


def plain(text: str) -> str:
    """One line that only shows: every control, direction mark and line end escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) if _is_control(character) else character for character in text)


def prose(text: str) -> str:
    """As `plain`, with line ends and tabs kept."""
    return "".join(
        _escaped(character) if _is_control(character) and character not in _LAYOUT else character
        for character in text
    )


def _is_control(character: str) -> bool:
    return category(character) in _DANGEROUS and character not in _JOINERS


def _escaped(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def json_text(value: object, *, indent: int = 0) -> str:
    """JSON that any terminal shows as it is: the same controls, as JSON's own escapes."""
    data = msgspec.json.encode(value)
    text = (msgspec.json.format(data, indent=indent) if indent else data).decode()
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(_json_escaped(c) if _is_control(c) and c not in _LAYOUT else c for c in text)


def _json_escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def print_json(value: object) -> None:
    sys.stdout.write(json_text(value, indent=2) + "\n")


def out(line: str) -> None:
    """A line on standard output."""
    sys.stdout.write(f"{prose(line)}\n")


def note(line: str) -> None:
    """A line on standard error: what is not the result."""
    sys.stderr.write(f"{prose(line)}\n")


def complain(error: Exception, as_json: bool = False) -> int:
    """Say what is wrong; the exit status for it."""
    if as_json:
        code = error.code if isinstance(error, CommandError) else "failed"
        details: Mapping[str, object] = error.details if isinstance(error, CommandError) else {}
        print_json({"error": {"code": code, "message": str(error), **details}})
    else:
        note(f"turnout: {error}")
    return 2


def guarded(as_json: bool, command: Callable[[], int]) -> int:
    """The command's exit status; what it cannot do is said. Ctrl-C is 130, as everywhere."""
    from turnout.store.ports import StoreError

    try:
        return command()
    except StoreError as error:
        return complain(CommandError(str(error), "store"), as_json)
    except CommandError as error:
        return complain(error, as_json)
    except KeyboardInterrupt:
        sys.stdout.write("\n" if sys.stdout.isatty() else "")
        return 130


def ask(prompt: str) -> str | None:
    """A line from standard input; `None` at its end. Ctrl-C ends the waiting whichever thread the signal reaches: a signal that
    another thread handles would not wake a read."""
    sys.stdout.write(prompt)
    sys.stdout.flush()
    if sys.stdin.isatty():
        _wait_for_input()
    return sys.stdin.readline() or None


def _wait_for_input() -> None:
    told, tell = socket.socketpair()
    told.setblocking(False)
    tell.setblocking(False)
    before = signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    try:
        while sys.stdin not in select.select([sys.stdin, told], [], [])[0]:
            told.recv(64)
    finally:
        signal.set_wakeup_fd(before)
        told.close()
        tell.close()


def interruptible(runner: asyncio.Runner, work: Coroutine[Any, Any, T]) -> T:
    """Its result; Ctrl-C cancels it, whichever thread the signal reaches, and is then raised."""

    async def main() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        loop.add_signal_handler(signal.SIGINT, task.cancel)
        try:
            return await work
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    try:
        return runner.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def counted(number: int, word: str) -> str:
    """`1 model`, `2 models`, `3 retries`."""
    if number == 1:
        return f"{number:,} {word}"
    ending = f"{word[:-1]}ies" if word.endswith("y") and word[-2:-1] not in "aeiou" else f"{word}s"
    return f"{number:,} {ending}"


def width() -> int:
    """Of the terminal; wide where there is none and nobody said."""
    return shutil.get_terminal_size((WIDTH_ELSEWHERE, 24)).columns


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[str] = frozenset()
) -> None:
    """A table on standard output, as wide as the terminal, or as it needs where there is none."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=width())
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    console.print(table, markup=False)
