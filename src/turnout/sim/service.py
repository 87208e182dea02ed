"""One simulated provider: routes a request to its API, counts, limits, breaks things on demand, and remembers what it saw."""

from __future__ import annotations

import asyncio
import time
from hashlib import sha256
from typing import Any

import msgspec

from turnout.sim import (
    anthropic,
    anthropic_replies,
    embeddings,
    openai,
    openai_more,
    openai_replies,
    refusals,
)
from turnout.sim.ask import Ask, Said, SimError
from turnout.sim.brain import think
from turnout.sim.caching import CACHEABLE_TOKENS_MIN, PromptCache
from turnout.sim.control import Control
from turnout.sim.delivery import STALL_S, Pace, send_stream, send_whole
from turnout.sim.faults import Fault
from turnout.sim.limits import headers as limit_headers
from turnout.sim.models import SimModel, SimProvider, models_of
from turnout.sim.reading import parse
from turnout.sim.server import Exchange, Request
from turnout.sim.tokens import count

HUGE_HEADER_BYTES = 128 * 1024
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Service:
    """`speed` scales time: 1 is real time, 0 is no waiting at all."""

    def __init__(self, provider: SimProvider, seed: int, speed: float, epoch_s: float | None = None) -> None:
        self.provider = provider
        self.control = Control(seed, binding=speed > 0)
        self.counters = self.control.counters
        self._models = models_of(provider.name)
        self._seed = seed
        self._speed = speed
        self._cache = PromptCache()
        self._epoch_s = epoch_s
        self._number = 0

    async def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.path.startswith("/_sim/"):
            status, body = self.control.serve(request)
            exchange.send(status, {"content-type": "application/json"}, body)
            return
        self._number += 1
        self.counters.requests += 1
        self.control.remember(request)
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
            body = (
                anthropic_replies.listing(models)
                if claude
                else openai_replies.listing(self.provider.name, models)
            )
            exchange.send(200, {"content-type": "application/json"}, body)
            return
        if request.method != "POST":
            raise SimError(
                404, "invalid_request_error", f"Unknown request URL: {request.method} {request.path}."
            )
        content_type = request.headers.get("content-type", "")
        is_form = content_type.lower().startswith("multipart/form-data")
        data = openai_more.read_form(content_type, request.body) if is_form else parse(request.body)
        if path == "/moderations":
            data.setdefault("model", "omni-moderation-latest")
        model = self._model(data)
        fault = self.control.faults.pick(model.id, request.headers.get("x-sim-fault"))
        if fault is not None and await self._broken(exchange, fault):
            return
        headers = self._limit(model)
        if fault is not None and fault.kind == "huge_header":
            headers["x-huge"] = "h" * HUGE_HEADER_BYTES
        if claude and path == "/v1/messages":
            await self._messages(exchange, data, model, headers, fault)
        elif claude and path == "/v1/messages/count_tokens":
            ask, _ = anthropic.read(data, model, self._seed, counting=True)
            exchange.send(
                200,
                {"content-type": "application/json"},
                msgspec.json.encode({"input_tokens": ask.prompt_tokens}),
            )
        elif not claude and path == "/chat/completions":
            await self._completions(exchange, data, model, headers, fault)
        elif not claude and path == "/embeddings":
            if not model.embedding_size:
                raise refusals.no_embeddings(self.provider, model)
            await send_whole(
                exchange, embeddings.embeddings(data, model), headers, self._seconds(model, 0), fault
            )
        elif self.provider.name == "openai" and path in openai_more.READERS:
            await self._more(exchange, path, data, model, headers, fault)
        else:
            raise SimError(404, "invalid_request_error", f"Unknown request URL: POST {request.path}.")

    async def _more(
        self,
        exchange: Exchange,
        path: str,
        data: dict[str, Any],
        model: SimModel,
        headers: dict[str, str],
        fault: Fault | None,
    ) -> None:
        """What only OpenAI has."""
        does, prefix, reader = openai_more.READERS[path]
        if model.does != does:
            raise openai_more.refuse(model, path)
        out = reader(data, model, self._seed, self._id(prefix, 29))
        headers = {**headers, "content-type": out.content_type}
        if out.stream is not None:
            await send_stream(exchange, out.stream, headers, self._pace(model, fault), fault)
            return
        seconds = self._seconds(model, out.output) if fault is None else self._pace(model, fault).first_s
        await send_whole(exchange, out.body, headers, seconds, fault)

    def _authenticate(self, request: Request) -> None:
        """Anthropic takes its own header, or a bearer token as its newer SDKs send; the others a bearer token."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key if scheme.lower() == "bearer" else ""
        if self.provider.family == "anthropic":
            key = request.headers.get("x-api-key") or key
        if not key or key.startswith("sim-bad"):
            raise refusals.unauthorised(self.provider, key)
        if self.provider.family == "anthropic" and "anthropic-version" not in request.headers:
            raise SimError(400, "invalid_request_error", "anthropic-version: header is required")

    def _model(self, data: dict[str, Any]) -> SimModel:
        name = data.get("model")
        model = self._models.get(name) if isinstance(name, str) else None
        if model is None:
            raise refusals.unknown_model(self.provider, name, list(self._models))
        return model

    def _limit(self, model: SimModel) -> dict[str, str]:
        """Count a request against its model's minute: the headers that tell. Raises `SimError`."""
        verdict = self.control.limits.take(model, asyncio.get_running_loop().time())
        told = limit_headers(self.provider, verdict)
        if verdict.wait_s is not None:
            raise SimError.told(
                refusals.rate_limited(self.provider, model, verdict.limit, verdict.wait_s), told
            )
        return told

    def _seconds(self, model: SimModel, output: int) -> float:
        return self._speed * (model.first_ms / 1000 + output / model.tokens_per_s)

    def _pace(self, model: SimModel, fault: Fault | None) -> Pace:
        first = self._speed * model.first_ms / 1000
        if fault is not None and fault.kind == "slow_first_token":
            first = fault.ms / 1000
        return Pace(first, self._speed / model.tokens_per_s)

    def _unix_s(self) -> int:
        if self._epoch_s is None:
            return int(time.time())
        return int(self._epoch_s + asyncio.get_running_loop().time())

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
        if model.does != "chat":
            raise refusals.not_chat(self.provider, model)
        ask, wants = openai.read(data, model)
        if ask.prompt_tokens > model.context_window:
            raise refusals.too_long(self.provider, model, ask.prompt_tokens)
        said = [think(ask, model, self._seed, variant) for variant in range(wants.n)]
        if fault is not None and fault.kind == "empty":
            said = [Said()]
        created = self._unix_s()
        cached = self._automatic_cache(ask)
        reply = openai_replies.Reply(
            self._id("" if self.provider.name in ("mistral", "google") else "chatcmpl-", 29),
            created,
            model.id,
            self.provider.name,
            said,
            ask.prompt_tokens,
            cached,
        )
        if wants.stream:
            await send_stream(
                exchange, openai_replies.stream(reply, wants), headers, self._pace(model, fault), fault
            )
            return
        seconds = (
            self._seconds(model, sum(one.output_tokens for one in said))
            if fault is None
            else self._pace(model, fault).first_s
        )
        await send_whole(exchange, openai_replies.whole(reply), headers, seconds, fault)

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
            raise refusals.too_long(self.provider, model, ask.prompt_tokens)
        said = think(ask, model, self._seed)
        if fault is not None and fault.kind == "empty":
            said = Said()
        read, written_5m, written_1h = self._marked_cache(model, wants.breakpoints)
        reply = anthropic_replies.Reply(
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
            await send_stream(
                exchange, anthropic_replies.stream(reply), headers, self._pace(model, fault), fault
            )
            return
        seconds = (
            self._seconds(model, said.output_tokens) if fault is None else self._pace(model, fault).first_s
        )
        await send_whole(exchange, anthropic_replies.whole(reply), headers, seconds, fault)

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
        if fault.kind in ("reset", "connect_reset"):
            exchange.reset()
        elif fault.kind == "hang":
            await asyncio.sleep(STALL_S)
        elif fault.kind == "html":
            exchange.send(fault.status if fault.status != 500 else 502, {"content-type": "text/html"}, _HTML)
        elif fault.kind == "no_http":
            exchange.raw(b"\x16\x03\x01\x00garbage\xff" * 20)
            exchange.close()
        elif fault.kind == "status" and fault.body is not None:
            later = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
            exchange.send(fault.status, {"content-type": "application/json", **later}, fault.body.encode())
        elif fault.kind == "status":
            self._refuse(
                exchange, refusals.failed(self.provider, fault.status, fault.message), fault.retry_after
            )
        else:
            return False
        return True

    def _refuse(self, exchange: Exchange, problem: SimError, retry_after: int | None = None) -> None:
        headers = {"content-type": "application/json", **problem.headers}
        if retry_after is not None or problem.status == 429:
            headers.setdefault("retry-after", str(1 if retry_after is None else retry_after))
        request_id = self._id("req_01" if self.provider.family == "anthropic" else "req_", 22)
        headers["request-id" if self.provider.family == "anthropic" else "x-request-id"] = request_id
        status, body = refusals.shape(self.provider, problem, request_id)
        if not exchange.started:
            exchange.send(status, headers, body)
