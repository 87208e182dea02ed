"""How each provider words and shapes a refusal: bodies differ even among those that copy one wire format.

Anthropic wraps errors in its own object; Google in an array with a status word; Mistral answers with flat objects, and with a list of
details for a request that does not validate; DeepSeek has one code for everything. Statuses can differ too: DeepSeek and Mistral answer 400
to an unknown model.
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.sim.ask import SimError
from turnout.sim.models import SimModel, SimProvider

_GOOGLE_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_ANTHROPIC_WORDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_TEXTS = {
    400: "Your request was malformed.",
    401: "Incorrect API key provided.",
    403: "You are not allowed to do this.",
    404: "There is no such resource.",
    429: "Rate limit reached. Please try again later.",
    500: "The server had an error while processing your request. Sorry about that!",
    503: "The model is overloaded. Please try again later.",
    529: "Overloaded",
}
_NOT_VALIDATED = frozenset({"invalid_type", "missing_required_parameter", "invalid_value"})


def shape(provider: SimProvider, problem: SimError, request_id: str) -> tuple[int, bytes]:
    """Status and body."""
    status, body = problem.status, _body(provider.name, problem, request_id)
    if provider.name == "mistral" and status == 400 and problem.code in _NOT_VALIDATED:
        status = 422
        detail = {"type": problem.code, "loc": ["body", problem.param], "msg": problem.message}
        body = {"object": "error", "message": {"detail": [detail]}, "type": "invalid_request_error", "param": None, "code": None}  # fmt: skip
    return status, msgspec.json.encode(body)


def _body(name: str, problem: SimError, request_id: str) -> Any:
    status, message = problem.status, problem.message
    match name:
        case "anthropic":
            word = problem.kind if problem.kind in _ANTHROPIC_WORDS.values() else _anthropic_word(status)
            return {"type": "error", "error": {"type": word, "message": message}, "request_id": request_id}
        case "google":
            word = _GOOGLE_WORDS.get(status, "UNKNOWN")
            return [{"error": {"code": status, "message": message, "status": word}}]
        case "mistral" if status == 401:
            return {"detail": "Invalid API Key"}
        case "mistral":
            return {"object": "error", "message": message, "type": problem.kind, "param": None, "code": problem.code, "raw_status_code": status}  # fmt: skip
        case "deepseek":
            kind = "authentication_error" if status == 401 else problem.kind
            return {"error": {"message": message, "type": kind, "param": None, "code": "invalid_request_error"}}  # fmt: skip
        case "groq":
            body: dict[str, Any] = {"message": message, "type": problem.kind, "code": problem.code}
            return {"error": body | ({"param": problem.param} if problem.param else {})}
    return {"error": {"message": message, "type": problem.kind, "param": problem.param, "code": problem.code}}


def _anthropic_word(status: int) -> str:
    return _ANTHROPIC_WORDS.get(status, "api_error" if status >= 500 else "invalid_request_error")


def failed(provider: SimProvider, status: int, message: str | None) -> SimError:
    """A refusal that a fault asked for."""
    code = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}.get(status)
    kind = "server_error" if status >= 500 else "requests" if status == 429 else "invalid_request_error"
    if provider.family == "anthropic":
        kind = _anthropic_word(status)
    return SimError(status, kind, message or _TEXTS.get(status, f"Failed with status {status}."), code)


def unauthorised(provider: SimProvider, key: str) -> SimError:
    shown = f"{key[:4]}****{key[-4:]}" if len(key) > 8 else "****"
    if provider.name == "anthropic":
        text = "invalid x-api-key" if key else "x-api-key header is required"
    elif provider.name == "openai":
        text = f"Incorrect API key provided: {shown}. You can find your API key at https://platform.openai.com/account/api-keys."
    elif provider.name == "deepseek":
        text = f"Authentication Fails, Your api key: {shown} is invalid"
    else:
        text = "Invalid API Key"
    kind = "authentication_error" if provider.family == "anthropic" else "invalid_request_error"
    return SimError(401, kind, text, "invalid_api_key")


def unknown_model(provider: SimProvider, name: object, known: list[str]) -> SimError:
    match provider.name:
        case "anthropic":
            return SimError(404, "not_found_error", f"model: {name}")
        case "deepseek":
            text = f"The supported API model names are {' or '.join(known)}, but you passed {name}."
            return SimError(400, "invalid_request_error", text)
        case "mistral":
            return SimError(400, "invalid_model", f"Invalid model: {name}", "1500")
        case "google":
            return SimError(
                404, "", f"models/{name} is not found for API version v1main, or is not supported."
            )
    text = f"The model `{name}` does not exist or you do not have access to it."
    return SimError(404, "invalid_request_error", text, "model_not_found")


def not_chat(provider: SimProvider, model: SimModel) -> SimError:
    """An embedding model was asked to chat."""
    if provider.name == "mistral":
        return SimError(400, "invalid_model", f"Invalid model: {model.id}", "1500")
    text = "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?"
    return SimError(404, "invalid_request_error", text, param="model")


def no_embeddings(provider: SimProvider, model: SimModel) -> SimError:
    """A chat model was asked for embeddings."""
    if provider.name == "openai":
        return SimError(
            403, "invalid_request_error", "You are not allowed to generate embeddings from this model"
        )
    if provider.name == "mistral":
        return SimError(400, "invalid_model", f"Invalid model: {model.id}", "1500")
    return SimError(404, "invalid_request_error", "Unknown request URL: POST /embeddings.")


def rate_limited(provider: SimProvider, model: SimModel, limit: int, wait_s: float) -> SimError:
    match provider.name:
        case "anthropic":
            text = f"This request would exceed the rate limit for your organization of {limit:,} requests per minute."
            return SimError(429, "rate_limit_error", text)
        case "mistral":
            return SimError(429, "rate_limited", "Rate limit exceeded", "1300")
        case "google":
            return SimError(
                429, "", "You exceeded your current quota, please check your plan and billing details."
            )
    text = (
        f"Rate limit reached for {model.id} in organization org-sim on requests per min (RPM): "
        f"Limit {limit}, Used {limit}, Requested 1. Please try again in {wait_s:.3f}s."
    )
    return SimError(429, "requests", text, "rate_limit_exceeded")


def too_long(provider: SimProvider, model: SimModel, size: int) -> SimError:
    """The prompt of `size` tokens does not fit the window."""
    window = model.context_window
    match provider.name:
        case "anthropic":
            return SimError(
                400, "invalid_request_error", f"prompt is too long: {size} tokens > {window} maximum"
            )
        case "mistral":
            text = f"Prompt contains {size} tokens and 0 draft tokens, too large for model with {window} maximum context length"
            return SimError(400, "invalid_request_error", text, "3051")
        case "google":
            text = f"The input token count ({size}) exceeds the maximum number of tokens allowed ({window})."
            return SimError(400, "", text)
        case "groq":
            text = "Please reduce the length of the messages or completion."
        case "deepseek":
            text = (
                f"This model's maximum context length is {window} tokens. However, you requested {size} tokens ({size} in the "
                "messages, 0 in the completion). Please reduce the length of the messages or completion."
            )
        case _:
            text = (
                f"This model's maximum context length is {window} tokens. However, your messages resulted in {size} tokens. "
                "Please reduce the length of the messages."
            )
    return SimError(400, "invalid_request_error", text, "context_length_exceeded", "messages")
