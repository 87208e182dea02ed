"""The failure table as a page for people: `python -m turnout.wire.errors_page` writes `docs/errors.md` to standard output.

Promise: statuses and columns are `core.errors.TABLE`'s, and the words of each API are what its codec really writes, so the page cannot
differ from the program. Only the sentences are written here. It must not know who fails, or when.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from turnout.core.errors import TABLE, Failure, Kind, Row
from turnout.core.model import DialectName
from turnout.wire.openai_responses.answers import error_code
from turnout.wire.registry import CODECS

_HEAD = """# Errors

Every way a call can fail, what Turnout does about it, and what you can do. A failure has a stable `code`, whoever caused it.

## Where to find the code

| place | which word |
|---|---|
| header `x-turnout-error`; `error` in the [log](costs.md) and in the metrics | the code of the table below, always |
| body, Anthropic's API | `error.code`: the code. `error.type` is the word that Anthropic's API has for the status |
| body, Gemini's API | `error.details[0].reason`: the code in capitals. `error.status` is the word that Google's APIs have for the status |
| body, OpenAI's APIs | `error.code`: the code, but for the words below, which clients of OpenAI look for |

@ALIASES@
A provider that speaks the client's own API and refuses the request is quoted: status and body are the provider's (configured secrets in it
are masked), and its code word is the provider's, too. Header and log still have ours. A refusal of the *gateway's* credentials is never quoted and never a 401 or 403.

A stream that has begun has sent its status 200. What fails then comes as an error event in the client's dialect, and the stream does not end as if it were complete.

`retry-after` is sent where somebody said when to come back: whole seconds, rounded up, at most 120 (and `retry-after-ms` to OpenAI clients).
The official OpenAI and Anthropic SDKs retry by themselves, on top of what Turnout has tried; `x-should-retry` tells them whether to: `true` for an
overload, a rate limit that ends within a minute and a shutdown, `false` for what would be refused again, may be billed twice or takes longer. A provider's own
`x-should-retry` is passed on with its refusal, as are its rate-limit headers (`x-ratelimit-*`, `anthropic-ratelimit-*`), also with its answers. A request refused by the rules has `error.details`, which count the models that each filter removed: see
[compliance](compliance.md).

## The table

- *again*: may Turnout ask the same model once more, after a pause? All others are asked first, and `resilience.retries_same` says how often.
- *next*: may Turnout ask another model, a fallback? *larger*: only one whose context window is larger.
- *health*: what the failure says about the model. *counts*: in the success rate. *heavily*: a few in a row take the model out of turn.
  *key*: the provider's credential, or its access to the model, is out of order, and not its machines.
- *billed*: may the provider charge for it? The log has such a cost in the call's row.

"""
_TAIL = """
## Before there is a call

What is wrong with HTTP itself is answered without the table: the connection closes after an `error.code` of `http_400` (not valid HTTP/1.1), `http_408`
(the head came too slowly), `http_431` (the head is too large) or `http_501` (cannot be upgraded). A known path asked with the wrong method is 405 with `allow`,
and its code is `unknown_route`.
"""
_HEALTH = {"none": "", "soft": "counts", "hard": "heavily", "credential": "key"}
_FALL_BACK = {"no": "", "yes": "yes", "larger": "larger"}
_GROUPS: tuple[tuple[str, Kind], ...] = (
    ("The request", Kind.BAD_REQUEST),
    ("Decided here", Kind.NO_CANDIDATE),
    ("What a provider said", Kind.UPSTREAM_BAD_REQUEST),
    ("On the way to a provider", Kind.CONNECT),
    ("A defect of Turnout's", Kind.INTERNAL),
)
"""Each with its first kind; kinds stand in the order of `Kind`."""

SENTENCES: Mapping[Kind, tuple[str, str]] = {
    Kind.BAD_REQUEST: (
        "The body or a control cannot be understood; the message names the field.",
        "Correct the request.",
    ),
    Kind.UNAUTHENTICATED: ("No key, or one that is not configured.", "Send a key of this gateway, not the provider's."),
    Kind.FORBIDDEN: (
        "The key, its team, user or cost centre may not use the named model, or the request tries to lift a policy.",
        "Use a model of `GET /v1/models`, or ask the operator.",
    ),
    Kind.UNKNOWN_MODEL: ("No such model for this caller; near names are given.", "Use a name of `GET /v1/models`."),
    Kind.UNKNOWN_ROUTE: ("No such path, object or method.", "Compare the base URL with `apis.md`."),
    Kind.UNSUPPORTED: (
        "No model that is left can do what is asked: tools, vision, JSON, embeddings, an encoding.",
        "Ask for less, or name a model that can.",
    ),
    Kind.TOO_LARGE: (
        "The body, or media to be fetched for it, is larger than allowed here or by the provider.",
        "Send less, or raise `server.body_bytes_max`.",
    ),
    Kind.UNSUPPORTED_CODING: (
        "The body is compressed in a way that is not known here, or more than once.",
        "Send it plain, or in one coding that `accept-encoding` of the answer names.",
    ),
    Kind.BODY_TIMEOUT: ("The body did not arrive within `server.body_ms`.", "Send it again."),
    Kind.CONTEXT_TOO_LONG: (
        "The prompt does not fit the model's window, by its provider's word or by our estimate.",
        "Shorten it, or name a fallback with a larger window.",
    ),
    Kind.CLIENT_DISCONNECT: ("The client left; the provider was told to stop. To be seen in the log only.", "Nothing."),
    Kind.NO_CANDIDATE: ("Lists and policies leave no model.", "Read `error.details`; loosen a rule."),
    Kind.BUDGET_EXCEEDED: (
        "Every model that is left costs more than a budget or price ceiling allows.",
        "Raise it, shorten the prompt or `max_tokens`.",
    ),
    Kind.CONTENT_FILTERED: ("The provider's filter refused prompt or answer.", "Change the prompt; nobody else is asked."),
    Kind.OVERLOADED_HERE: ("More than `server.calls_max` calls are in flight.", "Wait, or add workers."),
    Kind.SHUTTING_DOWN: ("The process drains.", "Send it again: it goes to another process."),
    Kind.ALL_DOWN: (
        "Every model of the plan is known to be out of order.",
        "Wait as `retry-after` says; add a fallback of another provider.",
    ),
    Kind.SUPERSEDED: (
        "Another model answered first, and this attempt was cancelled. In the attempts of the log only.",
        "Nothing.",
    ),
    Kind.UPSTREAM_BAD_REQUEST: (
        "The provider does not accept the request.",
        "Read its message. A fallback would refuse it, too, so one is asked only where Turnout chose the model, or translated a number that is refused.",
    ),
    Kind.UPSTREAM_AUTH: ("The provider refuses the gateway's key.", "Operator: check `api_key`."),
    Kind.UPSTREAM_NOT_FOUND: (
        "The provider does not know the model, or this key may not use it.",
        "Operator: check the model's `id` and `base_url`.",
    ),
    Kind.RATE_LIMITED: ("The provider's rate limit.", "Wait as `retry-after` says; add a fallback."),
    Kind.QUOTA_EXHAUSTED: ("The provider's account has no credit or quota left.", "Operator: top it up."),
    Kind.OVERLOADED: ("The provider says that it is overloaded.", "Try later; add a fallback."),
    Kind.UPSTREAM_ERROR: ("The provider failed (a 5xx).", "Try again; add a fallback."),
    Kind.STREAM_ERROR: ("The provider sent an error inside a reply of status 200.", "Try again."),
    Kind.EMPTY: (
        "The provider answered with nothing. If nobody does better, the empty answer is passed on with the notice `empty`; a model that broke off is an error.",
        "Try again, or raise `max_tokens`.",
    ),
    Kind.CONNECT: ("No connection to the provider, or it was lost while sending.", "Operator: check `base_url`, network and proxy."),
    Kind.TLS: ("The provider's certificate or handshake was not accepted.", "Operator: check `base_url` and the trusted certificates."),
    Kind.CONNECT_TIMEOUT: ("Connection or TLS took longer than `connect_ms` or `tls_ms`.", "As above."),
    Kind.FIRST_TOKEN_TIMEOUT: ("No content within `first_token_ms`.", "Add a fallback, or allow more time."),
    Kind.STALLED: (
        "The stream was silent for longer than `stall_ms`, or without content for longer than `content_ms`.",
        "Try again, or allow more time.",
    ),
    Kind.DEADLINE: (
        "The request's `x-turnout-deadline-ms` or the attempt's `total_ms` has passed.",
        "Allow more time, or ask for less.",
    ),
    Kind.TRUNCATED: ("The reply broke off before its end.", "Try again."),
    Kind.MALFORMED: ("The reply is not what its format says, or is larger than allowed.", "Try again; check the provider's `dialect`."),
    Kind.INTERNAL: ("A defect.", "Report it with the request's id and what standard error says."),
}  # fmt: skip


def page() -> str:
    return "".join((_HEAD.replace("@ALIASES@", "".join(_aliases())), *_rows(), _TAIL))


def _aliases() -> Iterator[str]:
    yield "| code | in a body of OpenAI's APIs | in an error event of a Responses stream |\n|---|---|---|\n"
    for kind in Kind:
        whole, streamed = code_in("openai_chat", kind), error_code(Failure(kind, ""))
        if {whole, streamed} != {kind.value}:
            yield f"| `{kind.value}` | `{whole}` | `{streamed}` |\n"


def code_in(dialect: DialectName, kind: Kind) -> str:
    """The code word in an error body of an API, as its codec writes it."""
    error: dict[str, Any] = msgspec.json.decode(CODECS[dialect].encode_error(Failure(kind, ""), ""))["error"]
    return str(error["details"][0]["reason"] if dialect == "gemini" else error["code"])


def _rows() -> Iterator[str]:
    titles = {kind: title for title, kind in _GROUPS}
    for kind in Kind:
        if kind in titles:
            gap = "" if kind is Kind.BAD_REQUEST else "\n"
            yield f"{gap}### {titles[kind]}\n\n| code | status | again | next | health | billed | what it means | what to do |\n"
            yield "|---|---|---|---|---|---|---|---|\n"
        meaning, remedy = SENTENCES[kind]
        yield f"| `{kind.value}` | {' | '.join(_cells(TABLE[kind]))} | {meaning} | {remedy} |\n"


def _cells(row: Row) -> tuple[str, ...]:
    billed = "" if row.billed == "no" else row.billed
    again = "yes" if row.retry_same else ""
    return (str(row.status), again, _FALL_BACK[row.fall_back], _HEALTH[row.health], billed)


if __name__ == "__main__":
    sys.stdout.write(page())
