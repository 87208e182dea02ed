"""What can be wrong with a configuration, said so that it can be mended: file, line, column, key, allowed values.

Promise: no value that may be a credential is ever repeated. An excerpt shows keys, punctuation and only those values that the
reader of the schema declared public; whatever else stands on the line is shown as `…`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from turnout.config.document import Document, Place, Scalar

EXCERPT_CHARS_MAX = 160
LINE_CHARS_MAX = 4096
ALLOWED_SHOWN_MAX = 24  # of more, the message names the nearest
PROBLEMS_MAX = 100
HIDDEN = "…"
_PUNCTUATION = frozenset("-?:,[]{}\"'|>")


class Problem(Struct, frozen=True):
    """`line` and `column` count from 1. `key` is dotted (`models.gpt-4o.tier`). `excerpt` is the line, and a caret below it."""

    file: str
    line: int
    column: int
    key: str
    message: str
    allowed: tuple[str, ...] = ()
    excerpt: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: "
        lines = [where + (f"{self.key}: " if self.key else "") + self.message]
        lines += [f"    {line}" for line in self.excerpt.splitlines()]
        if 0 < len(self.allowed) <= ALLOWED_SHOWN_MAX:
            lines.append(f"    allowed: {', '.join(self.allowed)}")
        return "\n".join(lines)


class ConfigError(Exception):
    """Everything that is wrong with a configuration, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Finding(Struct, frozen=True):
    """A problem before its excerpt is known."""

    place: Place
    key: str
    message: str
    allowed: tuple[str, ...] = ()


def error_of(findings: Collection[Finding], document: Document, public: Collection[Place]) -> ConfigError:
    """The findings as an error; at most `PROBLEMS_MAX` of them."""
    return ConfigError(problems_of(findings, document, public))


def problems_of(
    findings: Collection[Finding], document: Document, public: Collection[Place]
) -> tuple[Problem, ...]:
    """In the order of the file, with excerpts; at most `PROBLEMS_MAX` of them."""
    ordered = sorted(findings, key=lambda finding: (finding.place.line, finding.place.column))
    return tuple(
        Problem(
            file=document.file,
            line=finding.place.line + 1,
            column=finding.place.column + 1,
            key=_printable(finding.key),
            message=_printable(finding.message),
            allowed=finding.allowed,
            excerpt=_excerpt(finding.place, document, public),
        )
        for finding in ordered[:PROBLEMS_MAX]
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _excerpt(place: Place, document: Document, public: Collection[Place]) -> str:
    if place.line >= len(document.lines) or len(document.lines[place.line]) > LINE_CHARS_MAX:
        return ""
    shown, caret = "", 0
    for column, text in _pieces(document.lines[place.line], document.on_line(place.line), public):
        if column <= place.column:
            caret = len(shown)
        shown += text
    start = max(0, caret - EXCERPT_CHARS_MAX // 2)
    shown = shown[start : start + EXCERPT_CHARS_MAX].rstrip()
    return f"{shown}\n{' ' * (caret - start)}^" if shown else ""


def _pieces(line: str, scalars: Collection[Scalar], public: Collection[Place]) -> Iterator[tuple[int, str]]:
    """What may be shown of a line, each piece with the column where it begins."""
    column = 0
    for scalar in scalars:
        start, end = scalar.place.column, scalar.end_column
        yield from _gap(line, column, start)
        shown = line[start:end] if scalar.place in public else HIDDEN
        yield start, _printable(shown)
        column = end
    yield from _gap(line, column, len(line))


def _gap(line: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Between scalars: punctuation as it is, anchors and the like hidden, comments left out."""
    hidden = False
    for column in range(start, end):
        character = line[column]
        if character == "#" and (column == 0 or line[column - 1].isspace()):
            return
        harmless = character.isspace() or character in _PUNCTUATION
        if harmless:
            yield column, " " if character.isspace() else character
        elif not hidden:
            yield column, HIDDEN
        hidden = not harmless
