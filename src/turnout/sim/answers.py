"""What a simulated model says: readable English that answers the last question, the same for the same (seed, model, prompt).

Each skill looks at the question and answers or passes (`None`); the first that answers wins, and the last one always does. There is no
model of language here: the point is that a person who tries the gateway sees answers that fit, and that a test can predict them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

import msgspec

from turnout.sim import knowledge
from turnout.sim.ask import Ask, Result
from turnout.sim.text import arithmetic, names, number_text, numbers, quoted, sentences, topic, words

_EXACTLY = re.compile(
    r"(?:reply|respond|answer|say)\s+(?:with\s+)?(?:only\s+)?(?:exactly\s*)?(?:the\s+)?(?:single\s+)?(?:this\s+)?(?:one\s+)?(?:words?)?"
    r"(?:\s+and nothing else)?\s*:\s*(.{1,500})",
    re.IGNORECASE | re.DOTALL,
)
_SAY = re.compile(
    r"^(?:please\s+)?(?:just\s+)?(?:say|repeat|echo)\s+(?:after me:?\s*)?[\"']?([^\"'\n]{1,200}?)[\"']?[.!]?$",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^(?:hi|hello|hey|howdy|greetings|good (?:morning|afternoon|evening))\b[^?]{0,40}$", re.IGNORECASE
)
_THANKS = re.compile(r"^(?:thanks|thank you|cheers|great|ok|okay|bye|goodbye)\b.{0,40}$", re.IGNORECASE)
_MY_NAME = re.compile(r"\b[Mm]y name is ([A-Z][\w'-]*)|\bI am called ([A-Z][\w'-]*)")
_TRANSLATE = re.compile(
    r"\btranslate\b|\bhow do you say\b|\bin (?:french|spanish|german|italian|japanese)\b", re.IGNORECASE
)
_LIST = re.compile(
    r"\b(?:list|name|give me|suggest|brainstorm)\b.{0,20}?\b(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten)\b\s+(.{1,60})",
    re.IGNORECASE,
)
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_CODE = re.compile(
    r"\b(?:code|function|script|program|implement|python|algorithm|class|method)\b", re.IGNORECASE
)
_BRIEF = re.compile(r"\b(?:brief|briefly|short|one sentence|concise|in a word|one line)\b", re.IGNORECASE)
_LONG = re.compile(r"\b(?:detail|detailed|essay|thorough|in depth|comprehensive|long)\b", re.IGNORECASE)

QUOTED_RESULT_CHARS_MAX = 2000
SUMMARY_SENTENCES_MAX = 3
LIST_ITEMS_MAX = 20

Skill = Callable[[str, Ask], str | None]


def answer(ask: Ask, seed: int, skill: int, variant: int = 0) -> str:
    """The text of a reply. `skill` (0 to 2) makes it longer; `variant` distinguishes the choices of one request."""
    if ask.results:
        return _quote(ask.results)
    if ask.pictures:
        return _describe(ask)
    for rule in _SKILLS:
        said = rule(ask.question, ask)
        if said is not None:
            return said
    return _explain(
        ask,
        skill,
        zlib.crc32(f"{seed}:{ask.model}:{variant}:{ask.question}".encode("utf-8", "surrogatepass")),
    )


def _quote(results: list[Result]) -> str:
    told = [result.text[:QUOTED_RESULT_CHARS_MAX].strip() for result in results]
    if len(told) == 1:
        return f"Here is what I found: {told[0]}"
    return "Here is what I found:\n" + "\n".join(f"- {text}" for text in told)


def _describe(ask: Ask) -> str:
    seen = "I can see " + " and ".join(ask.pictures) + "."
    return (
        f'{seen} You asked about "{topic(ask.question)}": this is what came with your message.'
        if ask.question
        else seen
    )


# -- skills
def _exact(question: str, _: Ask) -> str | None:
    found = _EXACTLY.search(question) or _SAY.match(question.strip())
    if found is None:
        return None
    return found.group(1).strip().splitlines()[0].strip("\"'`")


def _greet(question: str, _: Ask) -> str | None:
    text = question.strip()
    if not text:
        return "Hello! What can I help you with?"
    if _GREETING.match(text):
        return "Hello! How can I help you today?"
    if _THANKS.match(text):
        return "You're welcome! Let me know if there is anything else I can do."
    return None


def _remember(question: str, ask: Ask) -> str | None:
    if not re.search(r"\bwhat(?:'s| is) my name\b", question, re.IGNORECASE):
        return None
    found = [name for match in _MY_NAME.finditer(ask.transcript) for name in match.groups() if name]
    return f"Your name is {found[-1]}." if found else "You have not told me your name yet."


def _calculate(question: str, _: Ask) -> str | None:
    found = arithmetic(question)
    if found is None:
        return None
    return f"{found[0]} = {number_text(found[1])}"


def _capital(question: str, _: Ask) -> str | None:
    lowered = question.lower()
    if "capital" not in lowered:
        return None
    found = [
        (lowered.rindex(country), country)
        for country in knowledge.CAPITALS
        if re.search(rf"\b{country}\b", lowered)
    ]
    if not found:
        return None
    said = [
        f"The capital of {_country(name)} is {knowledge.CAPITALS[name]}." for _, name in sorted(found)[-3:]
    ]
    return " ".join(said)


def _country(name: str) -> str:
    if name == "usa":
        return "the USA"
    shown = name.title()
    return f"the {shown}" if name.startswith("united") or name in ("netherlands", "philippines") else shown


def _fact(question: str, _: Ask) -> str | None:
    asked = set(words(question[:500]))
    return next((said for keys, said in knowledge.FACTS if asked.issuperset(keys)), None)


def _translate(question: str, _: Ask) -> str | None:
    if not _TRANSLATE.search(question):
        return None
    lowered = question.lower()
    language = next((name for name in knowledge.WORDS if name in lowered), None)
    if language is None:
        return None
    phrases = [phrase for phrase in knowledge.PHRASES if re.search(rf"\b{phrase}\b", lowered)]
    if phrases:
        return ". ".join(knowledge.PHRASES[phrase][language] for phrase in phrases)
    source = quoted(question)
    text = source[0] if source else question.partition(":")[2].strip()
    if not text:
        return None
    table = knowledge.WORDS[language]
    return " ".join(table.get(word.lower(), word) for word in text.split())


def _summarise(question: str, _: Ask) -> str | None:
    if not re.search(r"\b(?:summar(?:y|ise|ize)|tl;?dr|key points|shorten)\b", question, re.IGNORECASE):
        return None
    head, colon, rest = question.partition(":")
    body = rest if colon and len(head) < 200 else question.partition("\n")[2]
    found = sentences(body)
    if not found:
        return None
    return "In short: " + " ".join(found[:SUMMARY_SENTENCES_MAX])


def _code(question: str, _: Ask) -> str | None:
    if not _CODE.search(question):
        return None
    asked = set(words(question))
    for keys, snippet, remark in knowledge.SNIPPETS:
        if asked.intersection(keys):
            return f"Here is a Python function that does it:\n\n```python\n{snippet}\n```\n\n{remark}"
    return None


def _sentiment(question: str, _: Ask) -> str | None:
    if not re.search(
        r"\bsentiment\b|\bpositive or negative\b|\bpositive, negative\b", question, re.IGNORECASE
    ):
        return None
    asked = words(question)
    score = sum(word in knowledge.POSITIVE for word in asked) - sum(
        word in knowledge.NEGATIVE for word in asked
    )
    return "Positive" if score > 0 else "Negative" if score < 0 else "Neutral"


def _enumerate(question: str, _: Ask) -> str | None:
    found = _LIST.search(question)
    if found is None:
        return None
    number, what = found.group(1).lower(), found.group(2).strip(" .?!")
    wanted = min(_COUNTS.get(number) or int(number), LIST_ITEMS_MAX)
    if wanted == 0:
        return None
    known = next((items for key, items in knowledge.LISTS.items() if key in what.lower()), ())
    items = known[:wanted] + tuple(
        f"{_ASPECTS[at % len(_ASPECTS)]} for {what}" for at in range(len(known), wanted)
    )
    return "\n".join(f"{at}. {item}" for at, item in enumerate(items, 1))


def json_object(ask: Ask, seed: int, skill: int) -> str:
    """An answer as JSON without a schema: the names and numbers of the question, and the answer."""
    value = {
        "names": names(ask.question)[:10],
        "numbers": numbers(ask.question)[:10],
        "answer": answer(ask, seed, skill),
    }
    return msgspec.json.encode({key: one for key, one in value.items() if one}).decode()


_ASPECTS = (
    "A clear goal",
    "A simple first step",
    "A way to measure progress",
    "A careful review",
    "A small experiment",
    "A fallback plan",
    "A shared checklist",
    "A realistic schedule",
)

_SKILLS: tuple[Skill, ...] = (
    _exact,
    _greet,
    _remember,
    _sentiment,
    _summarise,
    _translate,
    _code,
    _calculate,
    _capital,
    _fact,
    _enumerate,
)

_OPENERS = (
    "In short, {t} is best understood by starting from what it is for.",
    "{T} is a good subject to take apart step by step.",
    "The useful way to look at {t} is to separate the goal from the means.",
    "There are a few things worth knowing about {t}.",
)
_BODIES = (
    "Be clear about what you want from it, because that decides which details matter.",
    "Look at the parts that change most often, since they cause most of the surprises.",
    "Compare the alternatives on the same terms: cost, speed, and how easily a mistake can be undone.",
    "A small trial usually tells more about {t} than a long discussion.",
    "It also helps to write down the assumptions, so that others can check them.",
    "Where numbers are available, prefer them to impressions.",
    "People who work with {t} every day usually know which rules can be bent and which cannot.",
    "When two sources disagree, look at how each of them was made.",
    "Keep the result simple enough that someone else can explain it back to you.",
)
_CLOSERS = (
    "If you tell me more about your situation, I can be more specific about {t}.",
    "That is the core of it; I can go deeper into any part.",
    "With those points in mind, {t} becomes a series of manageable decisions.",
)


def _explain(ask: Ask, skill: int, draw: int) -> str:
    about = topic(ask.question)
    parts: list[str] = [_OPENERS[draw % len(_OPENERS)]]
    if _BRIEF.search(ask.question) or _BRIEF.search(ask.system):
        parts.append(_BODIES[draw // 7 % len(_BODIES)])
    else:
        wanted = (7 if _LONG.search(ask.question) else 2) + skill + draw // 11 % 2
        start = draw // 5 % len(_BODIES)
        parts += [_BODIES[(start + at) % len(_BODIES)] for at in range(min(wanted, len(_BODIES)))]
        parts.append(_CLOSERS[draw // 3 % len(_CLOSERS)])
    capital = about[:1].upper() + about[1:]
    return " ".join(part.replace("{t}", about).replace("{T}", capital) for part in parts)


def thoughts(ask: Ask) -> str:
    """What a reasoning model thinks before it answers."""
    steps = [f'The user asks about "{topic(ask.question)}".']
    found = arithmetic(ask.question)
    if found is not None:
        steps.append(f"This is arithmetic: {found[0]} comes to {number_text(found[1])}.")
    elif ask.results:
        steps.append("The functions have answered, so I can tell what they found.")
    elif ask.tools:
        steps.append(
            "I have functions that could look this up, and should use them if the question needs it."
        )
    else:
        steps.append("I should recall what I know of it and put it in a clear order.")
    return " ".join(
        [*steps, "Nothing in the question is ambiguous enough to ask back.", "I will keep the answer direct."]
    )
