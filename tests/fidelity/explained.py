"""Recordings that do not come through equal, and why that is right, or known. Anything else fails the run.

A key is the recording's id, what was tried (see `docs/fidelity.md`), and the other dialect: the client's, for `asked` the provider's.
`any` stands for all of them and is needed by one at least. An explanation that is not needed any more fails the run, too.
"""

from __future__ import annotations

ANY = "any"

EXPLAINED: dict[tuple[str, str, str], str] = {
    (
        "recordings/openai/chat/ai-gateway__cassettes__chat-text-to-audio__0",
        "across",
        ANY,
    ): "The answer is audio. Clients of other dialects cannot be given sound, so they get the transcript as text.",
    (
        "recordings/pydantic-gateway/chat/pydantic-ai__test_openai__test_invalid_response__0",
        "across",
        ANY,
    ): "The reply is a JSON object that is no completion. The SDK reads it as one without choices; Turnout calls it malformed.",
    (
        "recordings/pydantic-gateway/chat/pydantic-ai__test_openai__test_invalid_response__0",
        "same",
        ANY,
    ): "HTTP 200 with an object that is no completion: passing it on would log and bill it as an answer. The client gets 502.",
    (
        "recordings/pydantic-gateway/chat/pydantic-ai__test_openai__test_text_response__0",
        "same",
        ANY,
    ): "HTTP 200 with text that is no JSON: passing it on would log and bill it as an answer. The client gets 502.",
    (
        "recordings/azure/chat/openllmetry__test_azure__test_prompt_content_filtering__0",
        "same",
        ANY,
    ): "HTTP 200 with an error object in place of a completion. The client gets the same refusal as an error, with status 400.",
    (
        "recordings/writer/chat/openllmetry__test_chat__test_writer_async_streaming_chat_tool_calls_legacy__0",
        "asked",
        ANY,
    ): "A tool's result that does not say which call it answers; Writer takes that, Anthropic needs the id. The client gets 400, naming the field.",
    (
        "recordings/gemini/generateContent/ai____fixtures____google-live-speech-translation.chunks__0",
        "across",
        ANY,
    ): "A fixture of the live API's messages: no chunk has a candidate or a reason, so the stream counts as cut.",
    (
        "recordings/gemini/generateContent/ai____fixtures____google-live-speech-translation.chunks__0",
        "same",
        ANY,
    ): "A fixture of the live API's messages: no chunk has a candidate or a reason, so the stream counts as cut.",
    (
        "recordings/bedrock/converse/ai____fixtures____amazon-bedrock-json-tool.1.chunks__0",
        "across",
        ANY,
    ): "A fixture without the `metadata` frame that ends every recorded Converse stream, so the stream counts as cut.",
    (
        "recordings/bedrock/converse/ai____fixtures____amazon-bedrock-json-tool.2.chunks__0",
        "across",
        ANY,
    ): "A fixture without the `metadata` frame that ends every recorded Converse stream, so the stream counts as cut.",
    (
        "recordings/bedrock/converse/ai____fixtures____amazon-bedrock-json-with-tool.1.chunks__0",
        "across",
        ANY,
    ): "A fixture without the `metadata` frame that ends every recorded Converse stream, so the stream counts as cut.",
    (
        "recordings/bedrock/converse/ai____fixtures____amazon-bedrock-json-with-tools.1.chunks__0",
        "across",
        ANY,
    ): "A fixture without the `metadata` frame that ends every recorded Converse stream, so the stream counts as cut.",
    (
        "recordings/openai/chat/ai-gateway__cassettes__chat-text-to-audio__0",
        "echoed",
        "gemini",
    ): "A Gemini client gets the sound itself, and no transcript of it beside.",
    (
        "recordings/anthropic/messages/ruby_llm__vcr_cassettes__chat_citations_with_anthropic_claude-haiku-4-5_cites_tool_results_returned_a-1880bc0a__1",
        "asked",
        "bedrock",
    ): "Search results that a tool returned become documents, whose text this run reads as files.",
    (
        "recordings/openai/responses/ai____fixtures____openai-custom-tool.1.chunks__0",
        "across",
        "openai_chat",
    ): "A custom tool's call in a stream: OpenAI sends it as it is sent here, but its SDK's types know function calls alone.",
    (
        "recordings/openai/responses/ai____fixtures____openai-custom-tool.1__0",
        "echoed",
        "anthropic",
    ): "A custom tool's text is an object's member for clients that know objects alone, and comes back as one where the request declares no such tool.",
    (
        "recordings/openai/responses/ai____fixtures____openai-custom-tool.1__0",
        "echoed",
        "gemini",
    ): "A custom tool's text is an object's member for clients that know objects alone, and comes back as one where the request declares no such tool.",
    (
        "recordings/gemini/generateContent/ruby_llm__vcr_cassettes__chat_multimodal_tool_attachments_gemini_gemini-2_5-flash_reads_pdfs_returned-89530f39__1",
        "asked",
        "bedrock",
    ): "Bedrock wants a word beside a document; all else is there.",
}
