"""Loading a configuration: text in, a `Config` out, or everything that is wrong with it at once.

Promise: a configuration is taken as a whole or refused as a whole, and a refusal names file, line, column and key of every
problem, with the values that are allowed. Environment variables come in as an argument; the only thing touched here is the one
file. An empty file is a configuration: all defaults.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path as FilePath

import msgspec
from msgspec import Struct, inspect

from turnout.config.document import TEXT_BYTES_MAX, Document, Malformed, Place, Scalar, read
from turnout.config.problems import ConfigError, Finding, Problem, error_of, problems_of
from turnout.config.reader import BAD, Enough, Path, Reader, dotted
from turnout.config.references import check
from turnout.config.schema import Config

Remark = tuple[Path, str, Collection[str]]
"""Path, message, values allowed."""

_LEADING_KEY = re.compile(r"\s*(?:- +)?([A-Za-z0-9_.-]{1,64})\s*:(?:\s|$)")


class Loaded(Struct, frozen=True):
    """A configuration that was taken, and where everything in it stands."""

    config: Config
    document: Document
    reader: Reader

    def problems(self, said: Collection[Remark]) -> tuple[Problem, ...]:
        """What is said of paths, and what the reader found odd itself, with file and line."""
        return self._placed(said, self.reader.oddities)

    def refusals(self, said: Collection[Remark]) -> tuple[Problem, ...]:
        """What is said of paths, with file and line."""
        return self._placed(said, ())

    def _placed(self, said: Collection[Remark], more: Collection[Finding]) -> tuple[Problem, ...]:
        findings = [
            Finding(self.reader.nearest(path), dotted(path), message, tuple(allowed))
            for path, message, allowed in said
        ]
        return problems_of([*more, *findings], self.document, self.reader.public)

    def longest_start_of(self, text: str) -> tuple[Path, str]:
        """The path with which a text begins, and how it is written: `models.gpt-4o.quirks` in `models.gpt-4o.quirks: …`."""
        written = ((dotted(path), path) for path in self.reader.places)
        found = max((pair for pair in written if text.startswith(pair[0])), key=lambda pair: len(pair[0]))
        return found[1], found[0]


def load_file(path: str | FilePath, env: Mapping[str, str], known: Sequence[str]) -> Config:
    """`known`: names of providers that need no declaration. Raises `ConfigError`, and `OSError` for an unreadable file."""
    return read_file(path, env, known).config


def read_file(
    path: str | FilePath, env: Mapping[str, str], known: Sequence[str], lenient: bool = False
) -> Loaded:
    """`lenient`: an absent variable reads as nothing, for who only looks. Raises `ConfigError`, and `OSError`."""
    with FilePath(path).open("rb") as file:
        data = file.read(TEXT_BYTES_MAX + 1)
    document = Document(str(path), ())
    if len(data) > TEXT_BYTES_MAX:
        raise _refused(document, Place(0, 0), f"larger than {TEXT_BYTES_MAX // 1024 // 1024} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(document, Place(data.count(b"\n", 0, error.start), 0), "not UTF-8 text") from None
    return read_text(text, str(path), env, known, lenient)


def load_text(text: str, file_name: str, env: Mapping[str, str], known: Sequence[str]) -> Config:
    """Raises `ConfigError`."""
    return read_text(text, file_name, env, known).config


def read_text(
    text: str, file_name: str, env: Mapping[str, str], known: Sequence[str], lenient: bool = False
) -> Loaded:
    """Raises `ConfigError`."""
    document = Document(file_name, tuple(text.splitlines()))
    reader = Reader(env, lenient)
    config = None
    try:
        document = read(text, document)
        config = _read(document, reader, known)
    except Malformed as error:
        raise _refused(document, error.place, error.message) from None
    except Enough:
        pass  # what was found is refused below
    if config is None or reader.findings:
        raise error_of(reader.findings, document, reader.public)
    return Loaded(config, document, reader)


def _read(document: Document, reader: Reader, known: Sequence[str]) -> Config | None:
    """Findings are left in the reader."""
    values = {} if document.root is None else reader.read(document.root, _root_type())
    try:
        config = msgspec.convert({} if values is BAD else values, Config)
    except msgspec.ValidationError as error:
        reader.say(Place(0, 0), (), str(error))
        return None

    def say(path: Path, message: str, allowed: Collection[str]) -> None:
        reader.say(reader.nearest(path), path, message, allowed)

    check(config, known, reader.places.keys(), reader.doubled, say)
    return config


@cache
def _root_type() -> inspect.Type:
    return inspect.type_info(Config)


def _refused(document: Document, place: Place, message: str) -> ConfigError:
    """For a text that has no tree: of its lines, no more than a leading key may be shown."""
    line = document.lines[place.line] if place.line < len(document.lines) else ""
    match = _LEADING_KEY.match(line)
    if match is None:
        return error_of([Finding(place, "", message)], document, ())
    key = Scalar(Place(place.line, match.start(1)), match.end(1), match[1], True)
    shown = Document(document.file, document.lines, scalars=(key,))
    return error_of([Finding(place, "", message)], shown, {key.place})


__all__ = [
    "ConfigError",
    "Loaded",
    "Path",
    "Problem",
    "Remark",
    "load_file",
    "load_text",
    "read_file",
    "read_text",
]
