"""Recordings that do not come through equal, and why that is right, or known. Anything else fails the run.

A key is the recording's id, then what was tried: `same` (byte for byte in its own dialect) or `across`. An explanation that is not needed
any more fails the run, too. `asked` is the recorded request, translated for a provider of the other
dialect; `echoed` the reply, sent back by a client of the other dialect.
"""

from __future__ import annotations

EXPLAINED: dict[tuple[str, str], str] = {
    (
        "recordings/openai/chat/ai-gateway__cassettes__chat-text-to-audio__0",
        "across",
    ): "The answer is audio. An Anthropic client cannot be given sound, so it gets the transcript as text.",
    (
        "recordings/pydantic-gateway/chat/pydantic-ai__test_openai__test_invalid_response__0",
        "across",
    ): "The reply is a JSON object that is no completion. The SDK reads it as one without choices; Turnout calls it malformed.",
    (
        "recordings/pydantic-gateway/chat/pydantic-ai__test_openai__test_invalid_response__0",
        "same",
    ): "HTTP 200 with an object that is no completion: passing it on would log and bill it as an answer. The client gets 502.",
    (
        "recordings/pydantic-gateway/chat/pydantic-ai__test_openai__test_text_response__0",
        "same",
    ): "HTTP 200 with text that is no JSON: passing it on would log and bill it as an answer. The client gets 502.",
    (
        "recordings/azure/chat/openllmetry__test_azure__test_prompt_content_filtering__0",
        "same",
    ): "HTTP 200 with an error object in place of a completion. The client gets the same refusal as an error, with status 400.",
    (
        "recordings/writer/chat/openllmetry__test_chat__test_writer_async_streaming_chat_tool_calls_legacy__0",
        "asked",
    ): "A tool's result that does not say which call it answers; Writer takes that, Anthropic needs the id. The client gets 400, naming the field.",
}
