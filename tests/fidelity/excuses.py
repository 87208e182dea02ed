"""When a translated request may differ: because the codec named what it dropped, or because the same is said in another way.

Each excuse is as narrow as can be. Texts may be joined, moved or introduced by a heading where the target's form demands it, and a text file
may become text or the other way round; what was said must still be there.
"""

from __future__ import annotations

import base64
import binascii
import json

from tests.fidelity.asked import Asked, canonical

_LOST_MEDIA = frozenset(
    {
        "audio",
        "audio.format",
        "audio.reference",
        "audio.url",
        "document.media_type",
        "document.url",
        "file_id",
        "image.media_type",
        "image.text",
        "image.url",
        "opaque",  # moving pictures: a part of Gemini's own
    }
)
_HEADED = frozenset(
    {"tool_results.media", "document.citations", "document.context", "messages.system_position"}
)
_WRAPS = frozenset({"result", "output", "content", "return_value", "error", "text"})


def excused(name: str, wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    match name:
        case "max_tokens":  # one dialect needs a number where the other may leave it to the model
            return wanted.max_tokens is None or bool(dropped & {"max_tokens", "max_tokens.range"})
        case "temperature":  # 1 is what all dialects take when nothing is said
            named = dropped & {"temperature", "temperature.range"}
            return bool(named) or (wanted.temperature == 1 and found.temperature is None)
        case "top_p":
            named = dropped & {"top_p", "top_p.range"}
            return bool(named) or (wanted.top_p == 1 and found.top_p is None)
        case "stop":
            named = dropped & {"stop", "stop.whitespace", "stop.count"}
            return bool(named) and set(found.stop) <= set(wanted.stop)
        case "system":
            return _same_system(wanted, found, dropped)
        case "turns":
            return _same_texts(wanted, found, dropped)
        case "media":
            return _same_media(wanted, found, dropped)
        case "calls":
            return _same_calls(wanted, found, dropped)
        case "results":
            return _same_results(wanted, found, dropped)
        case "tools" | "tool_choice":
            return _same_tools(wanted, found, dropped)
        case _:
            return False


def _words(text: str) -> str:
    return "".join(text.split())


def _within(text: str, longer: str) -> bool:
    """Is every character there, in order?"""
    rest = iter(longer)
    return all(character in rest for character in text)


def _same_system(wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    """Blocks may be joined in another way; a format that the target cannot promise is asked for in words at the end."""
    one, two = _words(wanted.system), _words(found.system)
    if "messages.system_position" in dropped and not found.system:
        return one == _words("".join(text for _, text in found.turns))
    return one == two or ("response_format.emulated" in dropped and two.startswith(one))


def _same_texts(wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    """What one message of a dialect cannot hold moves to the next, under a heading: nothing said may be missing."""
    if _said(wanted) == _said(found):
        return True
    files = [text for text in map(_text_of, found.media) if text]
    in_results = any(not text for _, text in wanted.results)  # a document that a tool returned
    moved = dropped & _HEADED or files or wanted.media != found.media or in_results
    said = "".join(text for _, text in wanted.turns)
    for text in files:
        said = said.replace(text, "")
    heard = "".join(text for _, text in found.turns) + "".join(text for _, text in found.results)
    return bool(moved) and _within(_words(said), _words(heard))


def _said(asked: Asked) -> list[tuple[str, str]]:
    """Turns by their words alone: blocks may be joined in another way, and a blank one may be left out."""
    out: list[tuple[str, str]] = []
    for role, text in ((role, _words(text)) for role, text in asked.turns):
        if out and out[-1][0] == role:
            out[-1] = (role, out[-1][1] + text)
        elif text:
            out.append((role, text))
    return out


def _same_media(wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    """In either alphabet of base64. A text file may be told as text; what is no text must be there or named."""
    one, two = [_standard(m) for m in wanted.media], [_standard(m) for m in found.media]
    heard = _words("".join(text for _, text in [*found.turns, *wanted.turns]))
    missing = [m for m in one if m not in two]
    added = [m for m in two if m not in one]
    texts = [_words(_text_of(m)) for m in (missing if not dropped & _LOST_MEDIA else []) + added]
    return all(text and text in heard for text in texts)


def _standard(medium: str) -> str:
    if "://" in medium:
        return medium
    return medium.replace("-", "+").replace("_", "/").rstrip("=")


def _text_of(medium: str) -> str:
    """The text of a text file; empty for anything else."""
    try:
        data = _standard(medium)
        text = base64.b64decode(data + "=" * (-len(data) % 4), validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return ""
    return text if _words(text).isprintable() else ""


def _same_calls(wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    """Arguments that are no JSON object, which some formats demand, are kept as text in one."""
    if "tool_calls.arguments" not in dropped or len(wanted.calls) != len(found.calls):
        return False
    pairs = zip(wanted.calls, found.calls, strict=True)
    return all(one[:2] == two[:2] and _kept(one[2], two[2]) for one, two in pairs)


def _kept(one: str, two: str) -> bool:
    return one == two or one in json.loads(two).values()


def _same_results(wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    """One dialect's text is another's JSON object, which has a member for what is no object. Failure may be told in words.

    A result without text may be told in words, too, or hold the document that the tool returned.
    """
    if [number for number, _ in wanted.results] != [number for number, _ in found.results]:
        return False
    pairs = zip(wanted.results, found.results, strict=True)
    return all(_same_result(one, two, dropped) for (_, one), (_, two) in pairs)


def _same_result(one: str, two: str, dropped: frozenset[str]) -> bool:
    wanted, found = _unwrapped(one), _unwrapped(two)
    if "tool_results.is_error" in dropped:
        found = found.removeprefix("Error: ")
    return not wanted or _words(wanted) == _words(_unwrapped(found))


def _unwrapped(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        if name in _WRAPS:
            return _unwrapped(inner if isinstance(inner, str) else canonical(inner))
    return canonical(value)


def _same_tools(wanted: Asked, found: Asked, dropped: frozenset[str]) -> bool:
    """A choice that cannot be said is made by offering that tool alone, or none; a conversation with calls may have to declare them."""
    chosen = [tool for tool in wanted.tools if tool[0] == wanted.tool_choice]
    if wanted.tool_choice == "none":
        same_offer = found.tools in ([], wanted.tools) or "tool_choice.none" in dropped
        return same_offer and (not found.tools or "tool_choice.none" in dropped or "tool_choice" in dropped)
    if chosen and found.tools == chosen:
        return found.tool_choice in ("any", "auto", wanted.tool_choice)
    if not wanted.tools and {tool[0] for tool in found.tools} <= {name for _, name, _ in wanted.calls}:
        return found.tool_choice == "auto"
    return "tool_choice" in dropped and found.tools == wanted.tools
