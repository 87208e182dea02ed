"""What a question says: words, names, numbers, arithmetic, the topic. Pure functions, no knowledge of the world."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from functools import lru_cache

WORD = re.compile(r"[A-Za-z][A-Za-z'_-]*")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
_QUOTED = re.compile(r"\"([^\"\n]{1,200})\"|'([^'\n]{2,200})'(?!\w)|`([^`\n]{1,200})`|“([^”\n]{1,200})”")
_NAME = re.compile(r"[A-Z][\w'’-]*(?:\s+[A-Z][\w'’-]*)*")
_NO_NAMES = frozenset(
    "a an and are as at be by call can compare convert could create describe do does explain fetch find for from get give hello hey hi "
    "how i i'm if in invent is it json let list look make me my name of ok on or please reply return say search send set show summarize tell "
    "thanks the then this to add book classify count extract summarise translate use was we weather what what's when where which who why will with would write you".split()
)
_EXPRESSION = re.compile(r"[-+(]*\d[\d.,\s+\-*/×÷x^()%]*[\d)]")
_ASKING = re.compile(
    r"^(?:please\s+)?(?:can you|could you|would you|i want you to|i need you to)?\s*"
    r"(?:(?:what|who|where|when|why|how)(?:'s| is| are| was| were| do| does| did| can| should| would| to)?(?: i| you| we| one)?|tell me(?: more)? about|tell me|"
    r"explain(?: to me)?|describe|discuss|write(?: me)?(?: an?)?(?: short| brief| long)?(?: essay| story| poem| email| paragraph| note)?"
    r"(?: about| on)?|give me|help me(?: with)?|compare|is|are|do|does)\s+",
    re.IGNORECASE,
)
_DIGITS_MAX = 12
_POWER_MAX = 64
EXPRESSION_CHARS_MAX = 200
TOPIC_CHARS_MAX = 80

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}


def words(text: str) -> list[str]:
    return [word.lower() for word in WORD.findall(text)]


def quoted(text: str) -> list[str]:
    return [next(group for group in match.groups() if group) for match in _QUOTED.finditer(text)]


def numbers(text: str) -> list[float]:
    found = [match.group() for match in _NUMBER.finditer(text)]
    return [float(number) if "." in number else int(number) for number in found if len(number) <= _DIGITS_MAX]


def names(text: str) -> list[str]:
    """Runs of capitalised words, in order and once each, without those that merely open a sentence."""
    found: list[str] = []
    for match in _NAME.finditer(text):
        parts = match.group().split()
        while parts and parts[0].lower() in _NO_NAMES:
            parts.pop(0)
        name = " ".join(parts).removesuffix("'s").removesuffix("’s").rstrip("'’-")
        if name and name not in found:
            found.append(name)
    return found


def entities(text: str) -> list[str]:
    """What a caller most likely means as values: quoted strings if there are any, else names."""
    return quoted(text) or names(text)


@lru_cache(maxsize=512)
def arithmetic(text: str) -> tuple[str, float] | None:
    """The first calculation in `text` that can be done, and its result."""
    for match in _EXPRESSION.finditer(text[:4000]):
        shown = match.group().strip()
        if len(shown) > EXPRESSION_CHARS_MAX or not re.search(r"\d\s*[-+*/×÷x^%]\s*[-(\d]", shown):
            continue
        clean = (
            shown.replace("×", "*").replace("÷", "/").replace("x", "*").replace("^", "**").replace(",", "")
        )
        try:
            return shown, _evaluate(ast.parse(clean, mode="eval").body)
        except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError):
            continue
    return None


def _evaluate(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _evaluate(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, power = _evaluate(left), _evaluate(right)
            if abs(power) > _POWER_MAX or abs(base) > 10**6:
                raise ValueError("too large")
            return float(base**power) if power < 0 else base**power
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_evaluate(left), _evaluate(right))
    raise ValueError("not arithmetic")


def number_text(value: float) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text.strip()) if part.strip()]


def topic(text: str) -> str:
    """What the question is about, as a phrase that fits inside a sentence."""
    asked = sentences(text[:2000])
    first = next((part for part in asked if part.endswith("?")), asked[0] if asked else "")
    shown = _ASKING.sub("", first, count=1).strip(" ?.!:;\n\t\"'") or first.strip(" ?.!")
    if len(shown) > TOPIC_CHARS_MAX:
        shown = shown[:TOPIC_CHARS_MAX].rsplit(" ", 1)[0]
    return shown or "your question"
