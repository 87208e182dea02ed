"""One simulated provider: routes a request to its API, counts, limits, breaks things on demand, and remembers what it saw."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from hashlib import sha256
from typing import Any

import msgspec

from turnout.sim import anthropic, openai
from turnout.sim.ask import Ask, Said, SimError
from turnout.sim.brain import check_window, think
from turnout.sim.caching import CACHEABLE_TOKENS_MIN, PromptCache
from turnout.sim.delivery import STALL_S, Pace, send_stream, send_whole
from turnout.sim.faults import Fault, Faults
from turnout.sim.models import SimModel, SimProvider, models_of
from turnout.sim.reading import parse
from turnout.sim.server import Counters, Exchange, Request
from turnout.sim.tokens import count

KEPT_REQUESTS_MAX = 200
KEPT_BODY_BYTES_MAX = 64 * 1024
_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key"})
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Service:
    """`speed` scales time: 1 is real time, 0 is no waiting at all."""

    def __init__(self, provider: SimProvider, seed: int, speed: float) -> None:
        self.provider = provider
        self.counters = Counters()
        self.faults = Faults(seed)
        self._models = models_of(provider.name)
        self._seed = seed
        self._speed = speed
        self._cache = PromptCache()
        self._seen: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS_MAX)
        self._number = 0
        self._minute: dict[str, tuple[int, int]] = {}

    async def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.path.startswith("/_sim/"):
            self._control(exchange, request)
            return
        self._number += 1
        self.counters.requests += 1
        self._keep(request)
        try:
            await self._serve(exchange, request)
        except SimError as problem:
            self._refuse(exchange, problem)

    # -- the provider's API
    async def _serve(self, exchange: Exchange, request: Request) -> None:
        self._authenticate(request)
        path = request.path.removeprefix(self.provider.base_path)
        claude = self.provider.family == "anthropic"
        if request.method == "GET" and path in ("/models", "/v1/models"):
            models = list(self._models.values())
            body = anthropic.listing(models) if claude else openai.listing(self.provider.name, models)
            exchange.send(200, {"content-type": "application/json"}, body)
            return
        if request.method != "POST":
            raise SimError(
                404, "invalid_request_error", f"Unknown request URL: {request.method} {request.path}."
            )
        data = parse(request.body)
        model = self._model(data)
        fault = self.faults.pick(model.id, request.headers.get("x-sim-fault"))
        if fault is not None and await self._broken(exchange, fault):
            return
        headers = self._limit(model)
        if claude and path == "/v1/messages":
            await self._messages(exchange, data, model, headers, fault)
        elif claude and path == "/v1/messages/count_tokens":
            ask, _ = anthropic.read(data, model, self._seed, counting=True)
            exchange.send(
                200,
                {"content-type": "application/json"},
                json.dumps({"input_tokens": ask.prompt_tokens}).encode(),
            )
        elif not claude and path == "/chat/completions":
            await self._completions(exchange, data, model, headers, fault)
        elif not claude and path == "/embeddings" and model.embedding_size:
            await send_whole(
                exchange, openai.embeddings(data, model), headers, self._seconds(model, 0), fault
            )
        else:
            raise SimError(404, "invalid_request_error", f"Unknown request URL: POST {request.path}.")

    def _authenticate(self, request: Request) -> None:
        if self.provider.family == "anthropic":
            key = request.headers.get("x-api-key", "")
            if not key or key.startswith("sim-bad"):
                raise SimError(401, "authentication_error", "invalid x-api-key")
            if "anthropic-version" not in request.headers:
                raise SimError(400, "invalid_request_error", "anthropic-version: header is required")
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key or key.startswith("sim-bad"):
            raise SimError(
                401, "invalid_request_error", f"Incorrect API key provided: {key[:4]}****.", "invalid_api_key"
            )

    def _model(self, data: dict[str, Any]) -> SimModel:
        name = data.get("model")
        model = self._models.get(name) if isinstance(name, str) else None
        if model is not None:
            return model
        if self.provider.family == "anthropic":
            raise SimError(404, "not_found_error", f"model: {name}")
        raise SimError(
            404,
            "invalid_request_error",
            f"The model `{name}` does not exist or you do not have access to it.",
            "model_not_found",
        )

    def _limit(self, model: SimModel) -> dict[str, str]:
        """Count a request against its model's minute. Raises `SimError`."""
        minute = int(time.time() // 60)
        begun, used = self._minute.get(model.id, (minute, 0))
        used = used + 1 if begun == minute else 1
        self._minute[model.id] = (minute, used)
        left = model.requests_per_minute - used
        if left < 0:
            raise SimError(
                429, "rate_limit_error", "Rate limit reached for requests per minute.", "rate_limit_exceeded"
            )
        prefix = "anthropic-ratelimit-requests" if self.provider.family == "anthropic" else "x-ratelimit"
        suffix = (
            ("-limit", "-remaining")
            if self.provider.family == "anthropic"
            else ("-limit-requests", "-remaining-requests")
        )
        return {prefix + suffix[0]: str(model.requests_per_minute), prefix + suffix[1]: str(left)}

    def _seconds(self, model: SimModel, output: int) -> float:
        return self._speed * (model.first_ms / 1000 + output / model.tokens_per_s)

    def _pace(self, model: SimModel, fault: Fault | None) -> Pace:
        first = self._speed * model.first_ms / 1000
        if fault is not None and fault.kind == "slow_first_token":
            first = fault.ms / 1000
        return Pace(first, self._speed / model.tokens_per_s)

    def _id(self, prefix: str, length: int) -> str:
        return (
            prefix + sha256(f"{self._seed}:{self.provider.name}:{self._number}".encode()).hexdigest()[:length]
        )

    async def _completions(
        self,
        exchange: Exchange,
        data: dict[str, Any],
        model: SimModel,
        headers: dict[str, str],
        fault: Fault | None,
    ) -> None:
        ask, wants = openai.read(data, model)
        check_window(ask, model)
        said = [think(ask, model, self._seed, variant) for variant in range(wants.n)]
        if fault is not None and fault.kind == "empty":
            said = [Said()]
        created = int(time.time())
        cached = self._automatic_cache(ask)
        reply = openai.Reply(
            self._id("chatcmpl-", 29), created, model.id, self.provider.name, said, ask.prompt_tokens, cached
        )
        if wants.stream:
            await send_stream(exchange, openai.stream(reply, wants), headers, self._pace(model, fault), fault)
            return
        seconds = (
            self._seconds(model, sum(one.output_tokens for one in said))
            if fault is None
            else self._pace(model, fault).first_s
        )
        await send_whole(exchange, openai.whole(reply), headers, seconds, fault)

    def _automatic_cache(self, ask: Ask) -> int:
        if (
            self.provider.name not in ("openai", "deepseek", "google")
            or ask.prompt_tokens < CACHEABLE_TOKENS_MIN
        ):
            return 0
        return min(self._cache.longest(ask.model, ask.transcript) // 4 // 128 * 128, ask.prompt_tokens)

    async def _messages(
        self,
        exchange: Exchange,
        data: dict[str, Any],
        model: SimModel,
        headers: dict[str, str],
        fault: Fault | None,
    ) -> None:
        ask, wants = anthropic.read(data, model, self._seed)
        if ask.prompt_tokens > model.context_window:
            text = f"prompt is too long: {ask.prompt_tokens} tokens > {model.context_window} maximum"
            raise SimError(400, "invalid_request_error", text)
        said = think(ask, model, self._seed)
        if fault is not None and fault.kind == "empty":
            said = Said()
        read, written_5m, written_1h = self._marked_cache(model, wants.breakpoints)
        reply = anthropic.Reply(
            id=self._id("msg_01", 22),
            model=model.id,
            said=said,
            input_tokens=max(0, ask.prompt_tokens - read - written_5m - written_1h),
            read_tokens=read,
            written_5m=written_5m,
            written_1h=written_1h,
            signature=anthropic.signature(self._seed, said.thought),
            redacted=self._id("redacted", 64) if wants.redact and ask.think else None,
        )
        headers = {**headers, "request-id": self._id("req_01", 22)}
        if wants.stream:
            await send_stream(exchange, anthropic.stream(reply), headers, self._pace(model, fault), fault)
            return
        seconds = (
            self._seconds(model, said.output_tokens) if fault is None else self._pace(model, fault).first_s
        )
        await send_whole(exchange, anthropic.whole(reply), headers, seconds, fault)

    def _marked_cache(self, model: SimModel, marks: list[anthropic.Breakpoint]) -> tuple[int, int, int]:
        """(read, written for five minutes, written for an hour), tokens."""
        read = 0
        written = {"5m": 0, "1h": 0}
        done = 0
        for mark in marks:
            size = count(mark.prefix)
            if size < CACHEABLE_TOKENS_MIN:
                continue
            if self._cache.known(model.id, mark.prefix) and not any(written.values()):
                read = done = size
            else:
                written[mark.ttl] += size - done
                done = size
        return read, written["5m"], written["1h"]

    # -- faults and refusals
    async def _broken(self, exchange: Exchange, fault: Fault) -> bool:
        """Faults that need no reply of the model's. True when the request is dealt with."""
        if fault.kind == "reset":
            exchange.reset()
        elif fault.kind == "hang":
            await asyncio.sleep(STALL_S)
        elif fault.kind == "html":
            exchange.send(502, {"content-type": "text/html"}, _HTML)
        elif fault.kind == "status":
            self._refuse(exchange, _problem(fault), fault.retry_after)
        else:
            return False
        return True

    def _refuse(self, exchange: Exchange, problem: SimError, retry_after: int | None = None) -> None:
        headers = {"content-type": "application/json"}
        if retry_after is not None:
            headers["retry-after"] = str(retry_after)
        elif problem.status == 429:
            headers["retry-after"] = "1"
        if self.provider.family == "anthropic":
            request_id = self._id("req_01", 22)
            headers["request-id"] = request_id
            body = anthropic.error(problem, request_id)
        else:
            body = openai.error(problem)
        if not exchange.started:
            exchange.send(problem.status, headers, body)

    # -- what tests and people look at
    def _keep(self, request: Request) -> None:
        headers = {
            name: "***" if name in _SECRET_HEADERS else value for name, value in request.headers.items()
        }
        body = request.body[:KEPT_BODY_BYTES_MAX].decode("utf-8", "replace")
        self._seen.append({"method": request.method, "path": request.path, "headers": headers, "body": body})

    def _control(self, exchange: Exchange, request: Request) -> None:
        route = (request.method, request.path.removeprefix("/_sim/"))
        status = 200
        answer: dict[str, Any] | None = None
        if route == ("GET", "stats"):
            counters = self.counters
            answer = {
                "requests": counters.requests, "open": counters.open - 1,
                "cancelled": counters.cancelled, "connections": counters.connections,
            }  # fmt: skip
        elif route == ("GET", "requests"):
            last = next(
                (int(v) for v in [request.query.removeprefix("last=")] if v.isdigit()), KEPT_REQUESTS_MAX
            )
            answer = {"requests": list(self._seen)[-last:] if last else []}
        elif route == ("DELETE", "requests"):
            self._seen.clear()
        elif route == ("GET", "faults"):
            answer = {"faults": msgspec.to_builtins(self.faults.rules)}
        elif route == ("POST", "faults"):
            try:
                self.faults.add(request.body)
            except (ValueError, msgspec.MsgspecError) as problem:
                status, answer = 400, {"error": str(problem)}
        elif route == ("DELETE", "faults"):
            self.faults.rules.clear()
        else:
            status, answer = 404, {"error": "no such control: stats, requests and faults there are"}
        exchange.send(status, {"content-type": "application/json"}, json.dumps(answer or {}).encode())


_WORDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def _problem(fault: Fault) -> SimError:
    word = _WORDS.get(fault.status, "api_error" if fault.status >= 500 else "invalid_request_error")
    return SimError(fault.status, word, fault.message or f"Simulated failure with status {fault.status}.")
