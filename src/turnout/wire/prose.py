"""What providers say in prose, made safe to show, and how long they ask to wait. The same for every dialect."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from turnout.wire.codec import Headers

MESSAGE_CHARS_MAX = 500

_SECRET = re.compile(
    r"(?i:bearer)\s+[^\s\"',;]+|\b(?:sk|pk|rk|key|api|token)[-_][A-Za-z0-9_\-]{8,}|\bAIza[\w-]{10,}|\beyJ[\w-]{8,}(?:\.[\w-]+)*"
    r"|\b(?=[A-Za-z+/_]*\d)[A-Za-z0-9+/_]{32,}={0,2}"
)
_SOON = re.compile(r"(?:try again|retry)[^.\d]{0,20}in (\d+(?:\.\d+)?)\s?(ms|s\b|sec)", re.IGNORECASE)


_QUOTATION = re.compile(r"`[^`]*`|\"[^\"]*\"|“[^”]*”|(?<![\w'])'[^']*'(?!\w)")
_NO_CREDIT = re.compile(
    r"insufficient (?:\w+ ){0,2}(?:credits?|quota|funds?|balance)\b|exceeded your current quota|\bcredit balance\b|\bout of credits\b"
    r"|\bcredits? (?:are|is|has been|have been) (?:depleted|exhausted|used up)|(?:account|bill(?:ing)?)\b[^.]{0,40}(?:past due|overdue|in arrears|not active)"
    r"|\busage limits?\b|spend(?:ing)? (?:cap|limit)|billing hard limit|requires? more credits",
    re.IGNORECASE,
)
_BAD_KEY = re.compile(
    r"(?:incorrect|invalid|expired) api[ _-]?key|api[ _-]?key (?:is )?(?:not valid|not found|expired|invalid|incorrect)",
    re.IGNORECASE,
)
_SHORT_PERIOD = re.compile(r"per[ -](?:second|min)|/ ?min|\b[rt]p[ms]\b|requests? in a short", re.IGNORECASE)


def unquoted(message: str) -> str:
    """The sentence without what it quotes: a tool's name, a field's, the caller's own words say nothing of the failure."""
    return _QUOTATION.sub(" … ", message)


def tells_no_credit(message: str) -> bool:
    """Is the account empty, by a sentence for which there is no code? A limit by the minute is not."""
    prose = unquoted(message)
    return _NO_CREDIT.search(prose) is not None and _SHORT_PERIOD.search(prose) is None


def tells_bad_key(message: str) -> bool:
    """Is the credential refused, by a sentence under a status that says something else (400)?"""
    return _BAD_KEY.search(unquoted(message)) is not None


def clean(message: str) -> str:
    """A provider's sentence, one line, bounded, with what looks like a credential masked."""
    masked = _SECRET.sub("***", " ".join(message[: 4 * MESSAGE_CHARS_MAX].split()))
    return masked if len(masked) <= MESSAGE_CHARS_MAX else masked[: MESSAGE_CHARS_MAX - 1] + "…"


def retry_after_s(headers: Headers, message: str = "") -> float | None:
    """Seconds the provider asks to wait: `retry-after-ms`, `x-amz-retry-after` (milliseconds, too), `retry-after` (seconds, or a date
    against the `date` header), or prose."""
    found = {name.lower(): value.decode("latin-1").strip() for name, value in headers}
    milliseconds = _number(found.get(b"retry-after-ms"))
    if milliseconds is None:
        milliseconds = _number(found.get(b"x-amz-retry-after"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = found.get(b"retry-after")
    seconds = _number(given)
    if seconds is None and given:
        seconds = _seconds_between(found.get(b"date"), given)
    if seconds is None and (match := _SOON.search(message)):
        seconds = float(match[1]) / (1000 if match[2].lower() == "ms" else 1)
    return seconds


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else -1.0
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _seconds_between(now: str | None, then: str) -> float | None:
    if not now:
        return None
    try:
        return max(0.0, (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds())
    except (ValueError, TypeError):
        return None
