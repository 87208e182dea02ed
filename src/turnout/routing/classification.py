"""Which task a request is, and which tier of model it deserves.

Task: a sparse linear model over cues. A cue is a word, a phrase, a leading verb (`^write`) or a structural mark
(`#code`); `cues` holds every weight, this file only adds them up, so a learned table can take the hand-written one's place.
Only the ends of a long text are read: material is full of verbs
that nobody asked for. The scores become probabilities by a softmax whose temperature was fitted on a development set. Below
`ABSTAIN_BELOW` the answer is `abstained`: the guess is then conversation or question answering, and no task map applies.

Tier: each signal of the requirement (query length, history, task, keywords, metadata) names a tier of its own, and the
highest wins. Length is capped by task, because a long text to be translated is more work but not harder work.

It knows nothing of models, prices or rules.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import get_args

from turnout.core.call import Controls, Priority, TaskGuess, TierGuess
from turnout.core.card import TIERS, Task
from turnout.core.model import ReasoningControl, Request
from turnout.routing import cues
from turnout.routing.features import Features, words_of

TASKS: tuple[Task, ...] = get_args(Task)
ABSTAIN_BELOW = 0.25
TEMPERATURE = 1.0
SYSTEM_WEIGHT = 0.7
SYSTEMS_REMEMBERED = 512  # system prompts, a few kilobytes each
LEAD_WORDS_MAX = 8
LEAD_CHARS_MAX = 120
NEGLIGIBLE = 12.0  # a score this far below the best adds nothing to the sum

QUERY_TOKENS = (50, 200)
HISTORY_TURNS = (10, 50)
DEEP_THINKING_TOKENS = 8_192
ABSTAIN_TIER_BELOW = 0.55

_INDEX = {task: index for index, task in enumerate(TASKS)}
_Weights = tuple[tuple[int, float], ...]


def _by_cue(table: Mapping[Task, Mapping[str, float]]) -> dict[str, _Weights]:
    found: dict[str, list[tuple[int, float]]] = {}
    for task, weights in table.items():
        for cue, weight in weights.items():
            found.setdefault(cue, []).append((_INDEX[task], weight))
    return {cue: tuple(pairs) for cue, pairs in found.items()}


def _by_first_character(
    table: Mapping[Task, Mapping[str, float]],
) -> dict[str, tuple[tuple[str, _Weights], ...]]:
    found: dict[str, tuple[tuple[str, _Weights], ...]] = {}
    for cue, pairs in _by_cue(table).items():
        found[cue[0]] = (*found.get(cue[0], ()), (cue, pairs))
    return found


_WEIGHTS = _by_cue(cues.TASK_CUES)
_WIDE = _by_first_character(cues.WIDE_CUES)
_WIDE_STARTS = frozenset(_WIDE)
_BIAS = tuple(cues.BIAS.get(task, 0.0) for task in TASKS)
_NO_WEIGHTS: _Weights = ()
_WEIGHTED = frozenset(_WEIGHTS)


def _anchored(phrases: Iterable[str]) -> dict[str, tuple[tuple[str, str, str], ...]]:
    """Phrases (bare, padded, their second rarest word) by their rarest word.

    A text is searched only for phrases of which it has both words. Rare is what few phrases hold; of equals, the longer.
    """
    every = list(dict.fromkeys(phrases))
    held = Counter(word for phrase in every for word in set(phrase.split()))
    found: dict[str, tuple[tuple[str, str, str], ...]] = {}
    for phrase in every:
        anchor, second = sorted(phrase.split(), key=lambda word: (held[word], -len(word)))[:2]
        found[anchor] = (*found.get(anchor, ()), (phrase, f" {phrase} ", second))
    return found


_KNOWN = (*_WEIGHTS, *cues.REASONING_CUES)
_PHRASES = _anchored(cue for cue in _KNOWN if " " in cue)
_ANCHORS = frozenset(_PHRASES)
_SECONDS = frozenset(second for phrases in _PHRASES.values() for _, _, second in phrases)
_VOCABULARY = frozenset(cue for cue in _KNOWN if " " not in cue) | _ANCHORS | _SECONDS


def found_cues(features: Features) -> set[str]:
    """Every known cue of the query: words, phrases, leading verbs and marks."""
    words = features.words
    found = _matches(words)
    found.update(features.marks)
    found.update(_leads(features.query, words))
    return found


def _matches(words: Sequence[str]) -> set[str]:
    hits = set(_VOCABULARY.intersection(words))  # no set of all words: most of them mean nothing here
    joined = ""
    for anchor in hits & _ANCHORS:
        for phrase, padded, second in _PHRASES[anchor]:
            if second in hits:
                joined = joined or f" {' '.join(words)} "
                if padded in joined:
                    hits.add(phrase)
    return hits


def _leads(query: str, words: Sequence[str]) -> tuple[str, str]:
    """The first telling word of the text and of its last line, as `^word`: "please could you write" leads with write."""
    cut = query.rstrip().rfind("\n")
    last = words_of(query[cut + 1 : cut + 1 + LEAD_CHARS_MAX]) if cut >= 0 else words
    return _lead(words), _lead(last)


def _lead(words: Sequence[str]) -> str:
    for word in words[:LEAD_WORDS_MAX]:
        if word not in cues.FILLERS:
            return f"^{word}"
    return ""


def task_scores(features: Features, found: set[str]) -> list[float]:
    """One score a task, in the order of `TASKS`; unbounded, comparable within one request."""
    scores = list(_system_scores(features.system))
    for cue in found & _WEIGHTED:
        for index, weight in _WEIGHTS[cue]:
            scores[index] += weight
    if not features.query.isascii():
        _add_wide(scores, features.query)
    return scores


@lru_cache(maxsize=SYSTEMS_REMEMBERED)
def _system_scores(system: str) -> tuple[float, ...]:
    """Where the scores begin: what a system prompt says of the task. Applications send the same one again and again."""
    scores = list(_BIAS)
    for cue in _matches(words_of(system)):
        for index, weight in _WEIGHTS.get(cue, _NO_WEIGHTS):
            scores[index] += weight * SYSTEM_WEIGHT
    return tuple(scores)


def _add_wide(scores: list[float], text: str) -> None:
    """Cues of scripts without spaces, and of inflected languages: found anywhere in the text."""
    for start in _WIDE_STARTS.intersection(text):
        for cue, pairs in _WIDE[start]:
            if cue in text:
                for index, weight in pairs:
                    scores[index] += weight


def classify_task(features: Features, found: set[str]) -> TaskGuess:
    """The likeliest task, with its probability."""
    scores = task_scores(features, found)
    top = max(scores)
    floor = top - NEGLIGIBLE
    probability = 1.0 / sum([math.exp((score - top) / TEMPERATURE) for score in scores if score > floor])
    if probability >= ABSTAIN_BELOW:
        return TaskGuess(TASKS[scores.index(top)], round(probability, 3))
    asks = scores[_INDEX["question_answering"]] >= scores[_INDEX["conversation"]]
    return TaskGuess("question_answering" if asks else "conversation", round(probability, 3), abstained=True)


def task_of(
    features: Features, found: set[str], request: Request, controls: Controls, named: Task | None
) -> TaskGuess:
    """The caller's word first, then the model name's (`auto:<task>`), then the request's form, then the classifier."""
    if controls.task is not None:
        return TaskGuess(controls.task, source="caller")
    if named is not None:
        return TaskGuess(named, source="model_name")
    if request.tool_choice is not None and request.tool_choice.mode in ("required", "named"):
        return TaskGuess("tool_use", source="request")
    return classify_task(features, found)


def _level(value: int, bounds: tuple[int, int]) -> int:
    return (value >= bounds[0]) + (value > bounds[1])


def _closeness(value: int, bounds: tuple[int, int]) -> float:
    """1 on a boundary, falling to 0 a factor of two away."""
    low, high = bounds
    place = math.log2(max(value, 1))
    return max(0.0, 1.0 - min(abs(place - math.log2(low)), abs(place - math.log2(high))))


def reasoning_markers(features: Features, found: set[str]) -> int:
    """How many words and phrases that ask for thought the query holds."""
    count = 0 if found.isdisjoint(cues.REASONING_CUES) else len(found & cues.REASONING_CUES)
    if not features.query.isascii():
        count += sum(1 for cue in cues.REASONING_WIDE if cue in features.query)
    return count


def _thinking_level(control: ReasoningControl | None) -> int:
    if control is None or control.mode == "disabled":
        return 0
    if control.effort in ("high", "xhigh", "max") or (control.budget_tokens or 0) >= DEEP_THINKING_TOKENS:
        return 2
    return 1 if control.effort == "medium" or control.mode == "enabled" else 0


def _length_level(features: Features, task: Task) -> int:
    """Length speaks as far as the task allows; the options of a multiple choice add length, not difficulty."""
    level = _level(features.query_tokens, QUERY_TOKENS)
    if "#choices" in features.marks and task not in cues.HARD_TASKS:
        level = max(level - 1, 0)
    return min(level, cues.LENGTH_CAP[task])


def tier_signals(features: Features, found: set[str], request: Request, task: Task) -> dict[str, int]:
    """What each signal asks for: 0 light, 1 standard, 2 large."""
    markers = reasoning_markers(features, found)
    return {
        "query": _length_level(features, task),
        "history": _level(features.turns, HISTORY_TURNS),
        "task": cues.TASK_FLOOR[task],
        "keywords": min(markers, 2) if task not in cues.PLAIN_TASKS else 0,
        "metadata": max(
            _thinking_level(request.reasoning), 1 if features.needs & cues.DEMANDING_NEEDS else 0
        ),
    }


def classify_tier(
    features: Features,
    found: set[str],
    request: Request,
    task: TaskGuess,
    priority: Priority,
    long_context_tokens: int,
) -> TierGuess:
    """The highest tier that a signal asks for; an uncertain one is rounded up for high priority, down for low."""
    if features.prompt_tokens > long_context_tokens:
        return TierGuess("large")
    signals = tier_signals(features, found, request, task.name)
    level = max(signals.values())
    probability = _tier_probability(features, signals, task, level)
    if probability >= ABSTAIN_TIER_BELOW:
        return TierGuess(TIERS[level], probability)
    if priority == "high":
        level = min(level + 1, 2)
    elif priority == "low":
        level = max(level - 1, 0)
    return TierGuess(TIERS[level], probability, abstained=True)


def _tier_probability(features: Features, signals: Mapping[str, int], task: TaskGuess, level: int) -> float:
    """Certain when several signals agree or the sizes are far from a boundary; otherwise as sure as its cause."""
    causes = [name for name, value in signals.items() if value == level]
    doubt = 0.0
    if signals["query"] == level or level == 0:
        doubt = 0.5 * _closeness(features.query_tokens, QUERY_TOKENS) if cues.LENGTH_CAP[task.name] else 0.0
    if causes == ["task"]:
        doubt = max(doubt, 0.7 * (1.0 - task.probability))
    return round(1.0 - doubt / max(1, len(causes) - 1), 3)
