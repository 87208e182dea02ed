"""What a request refers to is found however it is spelt, and what only looks like a reference is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.core.model import DialectName
from turnout.wire.references import find_reference


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


REFERENCES: list[tuple[DialectName, dict[str, Any], str]] = [
    ("openai_chat", {"messages": [user({"type": "file", "file": {"file_id": "file-1"}})]}, "messages[0].content[0].file.file_id"),
    ("openai_chat", {"messages": [user({"type": "image_url", "image_url": {"url": "gs://b/o"}})]}, "messages[0].content[0].image_url.url"),
    ("openai_chat", {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, "messages[0].audio"),
    ("openai_chat", {"images": [{"file_id": "file-1"}], "prompt": "p"}, "images[0].file_id"),
    ("openai_chat", {"messages": [], "extra_body": {"google": {"cached_content": "cachedContents/1"}}}, "extra_body.google.cached_content"),
    ("openai_chat", {"voice": {"id": "voice_1"}, "input": "p"}, "voice"),
    ("openai_responses", {"input": [user({"type": "input_file", "file_id": "file-1"})]}, "input[0].content[0].file_id"),
    ("openai_responses", {"input": [user({"type": "input_image", "file_id": "file-1"})]}, "input[0].content[0].file_id"),
    ("openai_responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
    ("openai_responses", {"input": [{"id": "msg_1"}]}, "input[0]"),
    ("openai_responses", {"input": [{"id": "msg_1", "type": None}]}, "input[0]"),
    ("openai_responses", {"input": [{"type": "image_generation_call", "id": "ig_1"}]}, "input[0]"),
    ("openai_responses", {"input": "p", "conversation": "conv_1"}, "conversation"),
    ("openai_responses", {"input": "p", "conversation": {"id": "conv_1"}}, "conversation"),
    ("openai_responses", {"input": "p", "prompt": {"id": "pmpt_1"}}, "prompt"),
    ("openai_responses", {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "tools[0].vector_store_ids"),
    ("openai_responses", {"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, "tools[0].container"),
    ("openai_responses", {"tools": [{"container": {"type": "auto", "file_ids": ["file-1"]}}]}, "tools[0].container.file_ids"),
    ("anthropic", {"messages": [user({"type": "document", "source": {"type": "file", "file_id": "f"}})]}, "messages[0].content[0].source.file_id"),
    ("anthropic", {"messages": [user({"type": "container_upload", "file_id": "f"})]}, "messages[0].content[0].file_id"),
    ("anthropic", {"messages": [user({"type": "tool_result", "content": [{"source": {"type": "file", "file_id": "f"}}]})]},
     "messages[0].content[0].content[0].source.file_id"),
    ("anthropic", {"messages": [], "container": "container_1"}, "container"),
    ("anthropic", {"messages": [], "container": {"skills": [{"type": "custom", "skill_id": "skill_1"}]}}, "container.skills[0].skill_id"),
    ("gemini", {"contents": [{"parts": [{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a1"}}]}]},
     "contents[0].parts[0].fileData.fileUri"),
    ("gemini", {"contents": [{"parts": [{"file_data": {"file_uri": "gs://b/o"}}]}]}, "contents[0].parts[0].file_data.file_uri"),
    ("gemini", {"contents": [], "cachedContent": "cachedContents/1"}, "cachedContent"),
    ("gemini", {"contents": [], "cached_content": "cachedContents/1"}, "cached_content"),
    ("gemini", {"tools": [{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/1"]}}]}, "tools[0].fileSearch.fileSearchStoreNames"),
    ("gemini", {"tools": [{"retrieval": {"vertexRagStore": {"ragResources": []}}}]}, "tools[0].retrieval.vertexRagStore"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "body", "param"), REFERENCES)
def test_references_are_found(dialect: DialectName, body: dict[str, Any], param: str) -> None:
    found = find_reference(dialect, json.dumps(body).encode())
    assert found is not None and found.param == param
    escaped = json.dumps(body)
    for word in ("file_id", "fileUri", "cachedContent", "conversation", "container", "item_reference"):
        escaped = escaped.replace(
            f'"{word}"', '"' + "".join(f"\\u{ord(letter):04x}" for letter in word) + '"'
        )
    assert json.loads(escaped) == body
    assert find_reference(dialect, escaped.encode()) == found


DECOYS = [
    ("type", "mcp_tool_result"),
    ("type", "anthropic"),
    ("type", "web_search_call"),
    ("role", "user"),
    ("role", "assistant"),
    ("result", "aGk="),
    ("id", None),
]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("decoy", DECOYS)
@pytest.mark.parametrize(("dialect", "body", "param"), REFERENCES)
def test_a_member_that_is_given_twice_excuses_nothing(
    dialect: DialectName, body: dict[str, Any], param: str, decoy: tuple[str, Any], after: bool
) -> None:
    """Which of the two a provider reads is not known."""

    def spelt(value: Any) -> str:
        if isinstance(value, list):
            return f"[{','.join(map(spelt, value))}]"
        if not isinstance(value, dict):
            return json.dumps(value)
        members = [(name, spelt(held)) for name, held in value.items()]
        if decoy[0] in value:
            members.insert(len(members) if after else 0, (decoy[0], json.dumps(decoy[1])))
        return "{" + ",".join(f'"{name}":{held}' for name, held in members) + "}"

    assert find_reference(dialect, spelt(body).encode()) is not None


@pytest.mark.parametrize(
    "path",
    [
        "v1beta/files/a",
        "v1beta//files/a",
        "v1beta/./files/a",
        "v1beta/%66iles/a",
        "v1beta/files/a/",
        "x/v1beta/files/a",
        "v1beta/files/a?b#c",
    ],
)
@pytest.mark.parametrize(
    "host",
    [
        "generativelanguage.googleapis.com",
        "GenerativeLanguage.googleapis.com:443",
        "u@generativelanguage.googleapis.com.",
    ],
)
def test_a_file_of_googles_is_one_however_its_address_is_spelt(host: str, path: str) -> None:
    body = {"contents": [{"parts": [{"fileData": {"fileUri": f"https://{host}/{path}"}}]}]}
    assert find_reference("gemini", json.dumps(body).encode()) is not None
    chat = {"messages": [user({"type": "image_url", "image_url": {"url": f" https://{host}/{path}"}})]}
    assert find_reference("openai_chat", json.dumps(chat).encode()) is not None


SCHEMA = {
    "type": "object",
    "properties": {"file_id": {"type": "string", "default": "x"}},
    "required": ["file_id"],
}
INNOCENT: list[tuple[DialectName, dict[str, Any]]] = [
    ("openai_chat", {"messages": [user({"type": "text", "text": "What is a file_id, \"conversation\" or gs://x?"})]}),
    ("openai_chat", {"tools": [{"function": {"name": "f", "parameters": SCHEMA}}], "metadata": {"file_id": "mine"}}),
    ("openai_chat", {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "{\"file_id\": \"x\"}"}}]}]}),
    ("openai_chat", {"messages": [], "audio": {"voice": "alloy", "format": "mp3"}}),
    ("openai_chat", {"messages": [user({"type": "image_url", "image_url": {"url": "https://example.com/files/a.png"}})]}),
    ("openai_chat", {"messages": [user({"type": "file", "file": {"file_id": None, "file_data": "data:"}})]}),
    ("openai_responses", {"input": [{"role": "user", "content": "Hi"}, {"type": "message", "id": "msg_1", "role": "assistant", "content": []}]}),
    ("openai_responses", {"input": [{"type": "reasoning", "id": "rs_1", "summary": []}], "conversation": None}),
    ("openai_responses", {"input": [{"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1", "outputs": None}]}),
    ("openai_responses", {"input": [{"type": "message", "content": [{"annotations": [{"file_id": "file-1"}]}]}]}),
    ("openai_responses", {"input": [{"type": "file_search_call", "id": "fs_1", "results": [{"file_id": "file-1"}]}]}),
    ("openai_responses", {"input": [{"type": "image_generation_call", "id": "ig_1", "result": "aGk="}]}),
    ("openai_responses", {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}], "prompt": None}),
    ("anthropic", {"messages": [user({"type": "tool_use", "id": "t", "name": "f", "input": {"file_id": "x", "container": "y"}})]}),
    ("anthropic", {"messages": [user({"type": "code_execution_tool_result", "content": {"content": [{"file_id": "f"}]}})]}),
    ("anthropic", {"tools": [{"input_schema": SCHEMA}], "container": {"skills": [{"type": "anthropic", "skill_id": "pdf"}]}}),
    ("gemini", {"contents": [{"parts": [{"functionCall": {"args": {"fileUri": "gs://b/o", "cachedContent": "x"}}}]}]}),
    ("gemini", {"contents": [{"parts": [{"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}}]}]}),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "body"), INNOCENT)
def test_what_only_looks_like_one_is_left_alone(dialect: DialectName, body: dict[str, Any]) -> None:
    assert find_reference(dialect, json.dumps(body).encode()) is None


def test_a_member_that_is_given_twice_hides_nothing() -> None:
    for pair in ('"file_id":"file-1","file_id":null', '"file_id":null,"file_id":"file-1"'):
        body = f'{{"messages":[{{"role":"user","content":[{{"type":"file","file":{{{pair}}}}}]}}]}}'
        assert find_reference("openai_chat", body.encode()) is not None


def test_numbers_are_not_read() -> None:
    body = b'{"n":%b,"messages":[{"content":[{"file_id":"f"}]}]}' % (b"9" * 5000)
    assert find_reference("openai_chat", body) is not None
