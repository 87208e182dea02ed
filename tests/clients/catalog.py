"""Which programs are tried, in which versions, and what each is expected to do: the one list that the run, the page and the tests read.

A cell of the table is a program, an API that it speaks and a feature. Every cell named here must be reported by the program's script as
working, and no other: the page can then claim exactly what the last green run has shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

Api = Literal["chat", "responses", "websocket", "messages", "gemini"]
Feature = Literal["text", "streaming", "tools", "structured", "error"]
Installer = Literal["pip", "npm"]

SCRIPTS = Path(__file__).parent / "scripts"
FEATURES: tuple[Feature, ...] = ("text", "streaming", "tools", "structured", "error")
ENDPOINTS: dict[Api, str] = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "websocket": "/v1/responses (WebSocket)",
    "messages": "/v1/messages",
    "gemini": "/v1beta/models/…",
}


class Spoken(Struct, frozen=True):
    """An API that a client speaks, and the features that its script checks over it."""

    api: Api
    features: tuple[Feature, ...] = FEATURES


class Client(Struct, frozen=True):
    """`packages` are pinned requirements, the first of them the one whose version the table shows.

    `finish` is a command to run in the folder once the packages are there. `notes` are sentences for the page: options that matter,
    and what does not work and why. `fails_with_auto` says why a client is expected to fail with the model `auto`; a run in which it does not
    fail is then an error, so that the mark cannot outlive its reason.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    spoken: tuple[Spoken, ...]
    notes: tuple[str, ...] = ()
    installer: Installer = "pip"
    suffix: Literal[".py", ".mjs"] = ".py"
    finish: tuple[str, ...] = ()
    fails_with_auto: str = ""

    @property
    def script(self) -> Path:
        return SCRIPTS / f"{self.name}{self.suffix}"

    @property
    def cells(self) -> frozenset[tuple[str, str]]:
        return frozenset((one.api, feature) for one in self.spoken for feature in one.features)


CLIENTS: tuple[Client, ...] = (
    Client(
        "langchain",
        "LangChain",
        ("langchain-openai==1.7.3", "langchain-anthropic==1.7.7"),
        (Spoken("chat"), Spoken("responses"), Spoken("messages")),
        (
            "`stream_usage=True` matters: with a base URL of its own, ChatOpenAI does not ask for token counts in streams otherwise.",
            "ChatAnthropic takes the address without `/v1`.",
        ),
    ),
    Client(
        "llamaindex",
        "LlamaIndex",
        ("llama-index-llms-openai-like==0.8.1",),
        (Spoken("chat"),),
        (
            "Take `OpenAILike`, not `OpenAI`: that one accepts only model names that it knows, so neither `auto` nor an alias.",
            "`is_function_calling_model=True` is what makes it send tools.",
        ),
    ),
    Client(
        "pydantic_ai",
        "pydantic-ai",
        ("pydantic-ai-slim[anthropic,openai]==2.68.0",),
        (Spoken("chat"), Spoken("responses"), Spoken("messages")),
        ("The provider for Anthropic takes the address without `/v1`.",),
    ),
    Client(
        "openai_agents",
        "OpenAI Agents SDK",
        ("openai-agents==0.24.0", "openai[realtime]==3.54.0"),
        (Spoken("chat"), Spoken("responses"), Spoken("websocket")),
        (
            "Without `set_tracing_disabled` the SDK sends traces of every run to OpenAI, whatever the base URL of the model.",
        ),
    ),
    Client(
        "instructor",
        "instructor",
        ("instructor[anthropic]==1.17.0",),
        (
            Spoken("chat", ("text", "streaming", "structured", "error")),
            Spoken("messages", ("text", "streaming", "structured", "error")),
        ),
        (
            "Streaming means partial objects. It has no tools of the caller's: it uses a tool call to get its typed answer.",
        ),
    ),
    Client(
        "google_genai",
        "google-genai",
        ("google-genai==3.4.0",),
        (Spoken("gemini"),),
        (
            "The address is without a version. The tool round trip is the SDK's own automatic function calling.",
        ),
    ),
    Client(
        "llm",
        "llm",
        ("llm==0.36",),
        (Spoken("chat"),),
        (
            'The first block is the file `extra-openai-models.yaml` in llm\'s folder (`dirname "$(llm logs path)"` prints it).',
            "`llm` sends tools and schemas only to models marked with `supports_tools` and `supports_schema`.",
        ),
    ),
    Client(
        "aider",
        "aider",
        ("aider-chat==0.86.2",),
        (Spoken("chat", ("text", "streaming", "error")),),
        notes=(
            "aider edits by text and offers no tools. Verified with the `whole` edit format, which the simulated models can produce: an edit "
            "is applied to the file and committed; `text` is the same without streaming.",
            "`--weak-model` writes the commit messages, through Turnout too.",
            "On its first start it looks for a list of prices on another host, and works without.",
        ),
    ),
    Client(
        "claude_code",
        "Claude Code",
        ("@anthropic-ai/claude-code==2.1.197",),
        (Spoken("messages", ("text", "streaming", "tools", "error")),),
        (
            "Verified headless (`-p`), with no login, thinking on; the tool round trip is its `Read` tool on a file, the answer sent back with "
            "the signed thinking that preceded the call.",
            "Verified with `--tools` naming the tools. With the full set of tools a simulated model takes the reminders that Claude Code puts "
            "before the prompt for the question and fails; that limit is the simulated model's.",
            "It asks for up to 32,000 tokens a reply. A model that allows fewer refuses that with status 400, gpt-4o for one; so may a model that "
            "`auto` chooses, though not in the runs here.",
            "`CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1` keeps it from other hosts.",
        ),
        installer="npm",
        finish=("node", "node_modules/@anthropic-ai/claude-code/install.cjs"),
    ),
    Client(
        "codex",
        "Codex",
        ("@openai/codex==0.169.0",),
        (Spoken("responses", ("streaming", "tools", "structured", "error")),),
        (
            "The first block is `config.toml` in `~/.codex`. Verified headless (`codex exec`), with no login; it always streams. The tool round "
            "trip is a shell command that Codex runs in its own sandbox and tells back.",
            "`[features]` with `plugins = false` keeps it from other hosts: with plugins on, it looks for them there.",
            "Codex warns that it has no metadata for models that it does not know, such as `auto`; it then works with its defaults.",
            "It repeats a request that was refused for good (an unknown model, for one) five times unless `stream_max_retries = 0` is set in "
            "the provider's section.",
        ),
        installer="npm",
    ),
    Client(
        "vercel_ai",
        "Vercel AI SDK",
        (
            "ai==6.0.326",
            "@ai-sdk/openai==3.0.141",
            "@ai-sdk/anthropic==3.0.140",
            "@ai-sdk/google==3.0.141",
            "zod==4.6.7",
        ),
        (Spoken("chat"), Spoken("responses"), Spoken("messages"), Spoken("gemini")),
        ("All four base URLs have a version, Anthropic's included: `/v1`, and `/v1beta` for Gemini.",),
        installer="npm",
        suffix=".mjs",
    ),
    Client(
        "node_sdks",
        "OpenAI and Anthropic SDKs for JavaScript",
        ("openai==6.49.0", "@anthropic-ai/sdk==1.12.0"),
        (Spoken("chat"), Spoken("responses"), Spoken("messages")),
        ("One `OpenAI` client serves chat completions and Responses.",),
        installer="npm",
        suffix=".mjs",
    ),
)
