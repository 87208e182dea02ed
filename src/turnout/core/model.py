"""The canonical request: what any dialect's request means, free of any dialect's spelling.

Promise: a codec that decodes its dialect into these types and encodes these types into its dialect
needs to know nothing of the other dialects. Everything is frozen; tool arguments, JSON schemas and blocks
with no canonical meaning stay as the exact text the caller sent (`str` or `msgspec.Raw`), because
re-serialising them is how gateways lose tool arguments and break signatures.

`None` means absent. An empty tuple means "present and empty" only where the dialects can say so.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

Role = Literal["system", "developer", "user", "assistant"]
DialectName = Literal[
    "openai_chat",
    "openai_responses",
    "anthropic",
    "gemini",
    "bedrock",
    "bedrock_anthropic",
    "cohere",
    "mistral",
    "ollama",
]


class CacheControl(Struct, frozen=True):
    """A prompt-cache breakpoint: the prefix up to and including the part that bears it is cacheable."""

    ttl: Literal["5m", "1h"] = "5m"


class Url(Struct, frozen=True, tag="url"):
    """Media by reference; Turnout never fetches it unless the configuration allows that."""

    url: str


class Inline(Struct, frozen=True, tag="inline"):
    """Media by value. `data` is base64 text exactly as received, `media_type` an IANA type."""

    media_type: str
    data: str


class FileId(Struct, frozen=True, tag="file"):
    """Media the provider already holds; an id is meaningful to the provider that issued it only."""

    id: str


class PlainText(Struct, frozen=True, tag="plain"):
    """A document given as text."""

    text: str


Source = Url | Inline | FileId | PlainText


class Text(Struct, frozen=True, tag="text"):
    text: str
    cache: CacheControl | None = None


class Refusal(Struct, frozen=True, tag="refusal"):
    """An assistant turn that declined, kept apart from text so that it is not read as an answer."""

    text: str


class Image(Struct, frozen=True, tag="image"):
    source: Source
    detail: str | None = None
    cache: CacheControl | None = None


class Document(Struct, frozen=True, tag="document"):
    source: Source
    name: str | None = None
    context: str | None = None
    citations: bool | None = None
    cache: CacheControl | None = None


class Audio(Struct, frozen=True, tag="audio"):
    """`format` is the short name ("wav", "mp3"); `source` is inline data or an id of earlier output."""

    source: Source
    format: str | None = None


class ToolCall(Struct, frozen=True, tag="tool_call"):
    """A function call by the model. `arguments` is the JSON text as produced, never re-serialised.

    `signature` is an opaque proof that some providers attach to a call and demand back; `origin` is the dialect that made it.
    `custom`: the arguments are free text. `namespace` is the group of tools in which `name` stands, for callers who have such.
    """

    id: str
    name: str
    arguments: str
    cache: CacheControl | None = None
    signature: str | None = None
    custom: bool = False
    origin: str | None = None
    namespace: str | None = None


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """What the caller's function returned for `call_id`. `content` holds text, images or documents."""

    call_id: str
    content: tuple[Part, ...]
    is_error: bool | None = None
    cache: CacheControl | None = None
    name: str | None = None


class Reasoning(Struct, frozen=True, tag="reasoning"):
    """Thinking that a model showed. `origin` names the dialect that produced signature or redacted data.

    A signature is valid for the provider that made it only: encoders keep it for the same origin and drop
    it, with the block's text where the target cannot take unsigned thinking, for any other.
    """

    text: str
    signature: str | None = None
    redacted: str | None = None
    origin: str | None = None


class Opaque(Struct, frozen=True, tag="opaque"):
    """A block with meaning in one dialect only (server-tool results, containers). Carried verbatim there."""

    dialect: str
    kind: str
    raw: Raw


Part = Text | Refusal | Image | Document | Audio | ToolCall | ToolResult | Reasoning | Opaque


class Message(Struct, frozen=True):
    """One turn. Tool results are parts of a `user` turn; encoders place them where their dialect wants them."""

    role: Role
    content: tuple[Part, ...]
    name: str | None = None


class Tool(Struct, frozen=True):
    """A function that the caller offers. `schema` is the JSON Schema of its arguments, verbatim.

    `extras` are members of the definition that only the request's own dialect understands (deferred loading, examples).
    """

    name: str
    description: str | None = None
    schema: Raw | None = None
    strict: bool | None = None
    cache: CacheControl | None = None
    extras: tuple[Extra, ...] = ()


class OpaqueTool(Struct, frozen=True):
    """A tool that the provider itself runs (web search, code execution, …): one dialect's own, verbatim."""

    dialect: str
    kind: str
    raw: Raw


class ToolChoice(Struct, frozen=True):
    """`named` carries the function in `name`; the other modes have none."""

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None


class ResponseFormat(Struct, frozen=True):
    """`text`, any JSON object, or JSON that satisfies `schema` (verbatim JSON Schema)."""

    kind: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: Raw | None = None
    strict: bool | None = None
    description: str | None = None


class ReasoningControl(Struct, frozen=True):
    """How much the model should think.

    `effort` is a level name (`none` `minimal` `low` `medium` `high` `xhigh` `max`), `budget_tokens` a hard budget; a dialect that
    speaks the other unit converts by the documented table. `mode` is what the caller asked outright.
    """

    mode: Literal["enabled", "disabled", "adaptive"] | None = None
    effort: str | None = None
    budget_tokens: int | None = None
    display: str | None = None


class Params(Struct, frozen=True, omit_defaults=True):
    """Sampling and output parameters. `None` leaves the provider's own default in force."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    n: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    parallel_tool_calls: bool | None = None
    user: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    cache: CacheControl | None = None
    verbosity: str | None = None


class Extra(Struct, frozen=True):
    """A top-level field of the request that has no canonical meaning: verbatim, for its own dialect."""

    name: str
    raw: Raw


class Request(Struct, frozen=True):
    """A chat request in canonical form. `dialect` is where it was decoded from."""

    dialect: DialectName
    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool | OpaqueTool, ...] = ()
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None
    reasoning: ReasoningControl | None = None
    params: Params = Params()
    stream: bool = False
    include_usage: bool = False
    extras: tuple[Extra, ...] = ()
