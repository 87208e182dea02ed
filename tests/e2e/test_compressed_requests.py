"""Compressed requests and several credentials, as real clients send them, through a real gateway."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import httpx2
import zstandard

from tests.e2e.harness import Running
from tests.e2e.processes import Process
from tests.e2e.test_process import config

KEY = "sk-ann-0123456789"
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}
PATHS = {
    "/v1/chat/completions": CHAT,
    "/v1/messages": CHAT,
    "/v1/responses": {"model": "gpt-4o", "input": "Hi"},
    "/v1beta/models/gpt-4o:generateContent": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    "/v1/route": CHAT,
}


def test_compressed_bodies_and_keys_beside_foreign_ones(tmp_path: Path, running: Running) -> None:
    (tmp_path / "turnout.yaml").write_text(
        config(
            running, rest=f"keys: [{{name: ann, key: {KEY}}}]\n", server="{port: 0, body_bytes_max: 100000}"
        )
    )
    with Process("serve", cwd=tmp_path) as process:
        url = process.ready().url

        def post(path: str, body: bytes, headers: dict[str, str]) -> httpx2.Response:
            return httpx2.post(url + path, content=body, headers=headers, timeout=20)

        key = {"x-api-key": KEY}
        for path, asked in PATHS.items():
            plain = json.dumps(asked).encode()
            for coding, body in (
                ("gzip", gzip.compress(plain)),
                ("zstd", zstandard.ZstdCompressor().compress(plain)),
            ):
                answer = post(path, body, key | {"content-encoding": coding})
                assert answer.status_code == 200, (path, coding, answer.text)
            for coding in ("br", "gzip, gzip"):
                answer = post(path, b"x", key | {"content-encoding": coding})
                assert answer.status_code == 415, (path, answer.text)
                assert answer.headers["accept-encoding"] == "gzip, deflate, zstd"
                assert answer.json()["error"]["message"]
            bomb = gzip.compress(bytes(10_000_000))
            assert post(path, bomb, key | {"content-encoding": "gzip"}).status_code == 413

        body = json.dumps(CHAT).encode()
        path = "/v1/messages"
        for headers in (
            {"authorization": "Bearer session-of-its-own", "x-api-key": KEY},
            {"authorization": f"Bearer {KEY}", "x-api-key": "other"},
            {"x-api-key": "other", "x-goog-api-key": KEY},
            {"x-api-key": "other", "x-goog-api-key": "another", "api-key": KEY},
        ):
            assert post(path, body, headers).status_code == 200, headers
        assert post(f"{path}?key={KEY}", body, {"authorization": "Bearer other"}).status_code == 200
        for wrong in ({"authorization": "Bearer other", "x-api-key": "another"}, {}):
            assert post(path, body, wrong).status_code == 401
        assert process.stop() == 0
