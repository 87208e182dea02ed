"""What the simulated models say: short, sensible English, the same for the same question.

Rules are tried in order; each looks at the question and either knows an answer or passes. Nothing here is clever: it is
enough that a demo reads well, that a test can ask something with one right answer, and that no reply is filler.
"""

from __future__ import annotations

import ast
import hashlib
import operator
import re
from collections.abc import Callable

from turnout.sim.ask import Ask
from turnout.sim.tools import things

_CAPITALS = {
    "france": "Paris", "italy": "Rome", "germany": "Berlin", "spain": "Madrid", "japan": "Tokyo", "portugal": "Lisbon",
    "austria": "Vienna", "switzerland": "Bern", "poland": "Warsaw", "greece": "Athens", "norway": "Oslo", "sweden": "Stockholm",
    "finland": "Helsinki", "denmark": "Copenhagen", "ireland": "Dublin", "belgium": "Brussels", "netherlands": "Amsterdam",
    "hungary": "Budapest", "romania": "Bucharest", "bulgaria": "Sofia", "croatia": "Zagreb", "ukraine": "Kyiv", "turkey": "Ankara",
    "egypt": "Cairo", "kenya": "Nairobi", "nigeria": "Abuja", "morocco": "Rabat", "india": "New Delhi", "china": "Beijing",
    "thailand": "Bangkok", "vietnam": "Hanoi", "indonesia": "Jakarta", "australia": "Canberra", "canada": "Ottawa",
    "mexico": "Mexico City", "brazil": "Brasília", "argentina": "Buenos Aires", "chile": "Santiago", "peru": "Lima",
    "the united states": "Washington, D.C.", "the united kingdom": "London", "south korea": "Seoul",
}  # fmt: skip
_PHRASES = {
    "good morning": {"french": "bonjour", "german": "guten Morgen", "spanish": "buenos días", "italian": "buongiorno"},
    "thank you": {"french": "merci", "german": "danke", "spanish": "gracias", "italian": "grazie"},
    "hello": {"french": "bonjour", "german": "hallo", "spanish": "hola", "italian": "ciao"},
    "goodbye": {"french": "au revoir", "german": "auf Wiedersehen", "spanish": "adiós", "italian": "arrivederci"},
    "where is the station": {
        "french": "où est la gare ?", "german": "wo ist der Bahnhof?", "spanish": "¿dónde está la estación?",
        "italian": "dov'è la stazione?",
    },
}  # fmt: skip
_PROGRAMS = {
    "reverse": "def reverse(text: str) -> str:\n    return text[::-1]",
    "fibonacci": "def fibonacci(n: int) -> int:\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a",
    "prime": "def is_prime(n: int) -> bool:\n    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))",
    "sort": "def sort(values: list[int]) -> list[int]:\n    if len(values) < 2:\n        return values\n"
    "    first, rest = values[0], values[1:]\n"
    "    return sort([v for v in rest if v < first]) + [first] + sort([v for v in rest if v >= first])",
    "factorial": "def factorial(n: int) -> int:\n    result = 1\n    for k in range(2, n + 1):\n        result *= k\n    return result",
    "palindrome": "def is_palindrome(text: str) -> bool:\n    kept = [c.lower() for c in text if c.isalnum()]\n    return kept == kept[::-1]",
}  # fmt: skip
_GOOD = frozenset(
    "love loved great excellent wonderful amazing good happy best fantastic perfect enjoyed delightful".split()
)
_BAD = frozenset(
    "hate hated terrible awful bad worst boring poor disappointing broken sad angry slow useless".split()
)
_STOPWORDS = frozenset(
    "the a an of to in on for and or is are was were do does did what which who how why when where can could would should you me my"
    " your it this that with about please tell explain describe write give some be as at by from i we they".split()
)
_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_SUM = re.compile(r"(?<![\w.])[-+]?[\d(][\d\s.()+\-*/%×x÷]*[\d)](?![\w])")


def answer(ask: Ask, seed: int, skill: int) -> str:
    """The text of a reply to which no function call and no schema applies."""
    if ask.results:
        return _from_results(ask)
    for rule in _RULES:
        text = rule(ask)
        if text:
            return text
    return _general(ask, seed, skill)


def _from_results(ask: Ask) -> str:
    told = "; ".join(result.text.strip() for result in ask.results)
    return f"Here is what I found: {told}."


def _pictures(ask: Ask) -> str:
    if not ask.pictures:
        return ""
    seen = " and ".join(f"an image ({picture})" for picture in ask.pictures)
    return f"I can see {seen}."


def evaluate(text: str) -> float | None:
    """The value of a small sum; `None` for anything else."""
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, 0)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        return None


def _value(node: ast.expr, depth: int) -> float:
    if depth > 20:
        raise ValueError("too deep")
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, depth + 1), _value(node.right, depth + 1))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, depth + 1)
    raise ValueError("not a sum")


def find_sum(question: str) -> tuple[str, float] | None:
    """The first sum in a question, as it is written, and its value."""
    for match in _SUM.finditer(question[:2000]):
        text = match[0].replace("×", "*").replace("x", "*").replace("÷", "/").strip()
        if len(text) > 120 or not re.search(r"\d\s*[-+*/%]\s*[\d(]", text):
            continue
        value = evaluate(text)
        if value is not None:
            return match[0].strip(), value
    return None


def _arithmetic(ask: Ask) -> str:
    found = find_sum(ask.question)
    if found is None:
        return ""
    text, value = found
    return f"{text} = {int(value) if value == int(value) else round(value, 6)}."


def _capital(ask: Ask) -> str:
    lowered = ask.question.lower()
    if "capital" not in lowered:
        return ""
    for country, city in _CAPITALS.items():
        if country in lowered:
            shown = country if country.startswith("the ") else country.title()
            return f"The capital of {shown} is {city}."
    return ""


def _translation(ask: Ask) -> str:
    lowered = ask.question.lower()
    if "translat" not in lowered and " in french" not in lowered:
        return ""
    language = next(
        (name for name in ("french", "german", "spanish", "italian") if name in lowered), "french"
    )
    for phrase, words in _PHRASES.items():
        if phrase in lowered:
            return f"In {language.title()}: {words[language]}"
    return ""


def _summary(ask: Ask) -> str:
    head, _, body = ask.question.partition(":")
    if not re.search(r"summari[sz]e|tl;?dr|in short", head.lower()):
        return ""
    text = body.strip() or ask.question
    sentences = re.findall(r"[^.!?]+[.!?]", text[:20_000]) or [text[:200]]
    kept = sentences[:1] if len(sentences) < 4 else [sentences[0], max(sentences[1:], key=len)]
    return "In short: " + " ".join(sentence.strip() for sentence in kept)


def _sentiment(ask: Ask) -> str:
    lowered = ask.question.lower()
    if not re.search(r"sentiment|positive or negative|is this (?:review|comment)", lowered):
        return ""
    question, _, review = lowered.partition("?")
    words = set(re.findall(r"[a-z]+", review or question))
    good, bad = len(words & _GOOD), len(words & _BAD)
    return "Positive." if good > bad else "Negative." if bad > good else "Neutral."


def _program(ask: Ask) -> str:
    lowered = ask.question.lower()
    if not re.search(r"function|python|code|program|script|implement", lowered):
        return ""
    for word, program in _PROGRAMS.items():
        if word in lowered:
            return f"Here is a Python function for that:\n\n```python\n{program}\n```"
    return ""


def _listing(ask: Ask) -> str:
    match = re.search(r"\b(?:list|name|give me) (\d{1,2}|three|five|ten) ([\w ]{3,40})", ask.question.lower())
    if match is None:
        return ""
    number = {"three": 3, "five": 5, "ten": 10}.get(match[1]) or int(match[1])
    return "\n".join(
        f"{n}. {match[2].strip().rstrip('s').capitalize()} number {n}" for n in range(1, number + 1)
    )


def _greeting(ask: Ask) -> str:
    short = len(ask.question) < 60
    if short and re.match(r"\W*(?:hi|hello|hey|good (?:morning|evening)|thanks?)\b", ask.question.lower()):
        return "Hello! What can I do for you?"
    return ""


_RULES = (
    _pictures,
    _arithmetic,
    _capital,
    _translation,
    _summary,
    _sentiment,
    _program,
    _listing,
    _greeting,
)

_OPENINGS = (
    "{topic} is best understood step by step.",
    "There are a few things worth knowing about {topic}.",
    "A good way to look at {topic} is to start from what it is for.",
)
_MIDDLES = (
    "First comes the purpose: what {topic} is meant to achieve, and for whom.",
    "Then come the parts, how each of them works, and how they depend on one another.",
    "In practice, most difficulties with {topic} come from small details that are easy to overlook.",
    "It helps to try a simple case first and to compare it with what one expected.",
    "The costs and limits of {topic} matter as much as its benefits.",
)
_CLOSINGS = (
    "If you tell me more about your situation, I can be more specific.",
    "That is the short version; each of these points can be taken further.",
)


def _general(ask: Ask, seed: int, skill: int) -> str:
    topic = _topic(ask.question)
    pick = int(hashlib.sha256(f"{seed}:{ask.model}:{ask.question}".encode()).hexdigest()[:8], 16)
    middles = [_MIDDLES[(pick + n) % len(_MIDDLES)] for n in range(1 + skill)]
    parts = [_OPENINGS[pick % len(_OPENINGS)], *middles, _CLOSINGS[pick % len(_CLOSINGS)]]
    text = " ".join(parts).replace("{topic}", topic)
    return text[0].upper() + text[1:]


def _topic(question: str) -> str:
    named = things(question[:2000])
    if named:
        return named[0][:60]
    words = [w for w in re.findall(r"[A-Za-z][\w'-]*", question[:2000]) if w.lower() not in _STOPWORDS]
    return " ".join(words[-3:]).lower()[:60] or "this question"


def thoughts(ask: Ask) -> str:
    """What a reasoning model thinks before it answers."""
    found = find_sum(ask.question)
    steps = [f"The user asks: {' '.join(ask.question.split())[:120]}"]
    if found is not None:
        steps.append(f"I work out {found[0]} step by step and get {found[1]:g}.")
    elif ask.tools and not ask.results:
        steps.append("Looking this up needs one of the functions that I was given.")
    else:
        steps.append("I look for what is asked, recall what I know of it, and put it in a clear order.")
    steps.append("I check the result once more before I answer.")
    return "\n".join(steps)
