"""The library's public face: its names, what an import costs, its keywords, its errors."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import turnout
from turnout.core.errors import TABLE, Failure, Kind
from turnout.edge.controls import _READERS
from turnout.library.errors import error_of
from turnout.library.options import CHAT, CONTROLS, chat_body
from turnout.wire.openai_chat.requests import _Body

NAMES = """
Client SyncClient Reply ToolCall Embeddings Response Stream RawStream SyncStream SyncRawStream ChatOptions Controls Config
TurnoutError BadRequest NoCandidate BudgetExceeded RateLimited Timeout Unavailable ConfigurationError Failure
Event Started TextDelta RefusalDelta ReasoningDelta ReasoningSignature ReasoningRedacted ToolStart ToolDelta AudioDelta OpaqueBlock
Usage Stop Finished Notice AttemptRow Explanation
"""


def test_public_names() -> None:
    assert turnout.__all__ == NAMES.split()
    for name in turnout.__all__:
        assert getattr(turnout, name) is not None
        assert name in dir(turnout)
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        _ = turnout.Klient  # type: ignore[attr-defined]


def test_an_import_brings_nothing_with_it() -> None:
    script = "import sys; before = set(sys.modules); import turnout; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded <= {*sys.stdlib_module_names, "turnout"}
    assert not {"asyncio", "ssl", "sqlite3", "json"} & loaded
    assert not [name for name in done.stdout.split() if name.startswith("turnout.")]


def test_a_client_brings_no_server_and_no_simulation() -> None:
    script = "import sys, turnout; turnout.Client, turnout.SyncClient; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"uvicorn", "typer", "turnout.sim", "turnout.cli"} & set(done.stdout.split())


def test_every_control_of_the_gateway_is_a_keyword() -> None:
    assert set(_READERS) == CONTROLS


def test_every_other_keyword_is_a_member_of_the_chat_request() -> None:
    assert CHAT - CONTROLS - {"extra"} <= set(_Body.__struct_fields__)


def test_an_unknown_keyword_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(TypeError, match="'budget'"):
        turnout.Client().stream("hi", budget=1)  # type: ignore[call-arg]
    assert b'"logit_bias":{}' in chat_body("hi", "auto", {"extra": {"logit_bias": {}}})


@pytest.mark.parametrize("kind", list(Kind))
def test_every_failure_is_an_error(kind: Kind) -> None:
    failure = Failure(kind, "Why.", retry_after_s=2.5)
    error = error_of(failure, "req_1")
    assert isinstance(error, turnout.TurnoutError)
    assert (error.code, error.status, error.message) == (kind.value, TABLE[kind].status, "Why.")
    assert (error.retry_after_s, error.request_id, error.failure) == (2.5, "req_1", failure)
    assert str(error) == f"{kind.value}: Why. (req_1)"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    if isinstance(error, turnout.BadRequest):
        assert 400 <= error.status < 500
    if type(error) is turnout.TurnoutError:
        assert kind is Kind.INTERNAL
