"""A reply as the SDKs' HTTP client would have received it."""

from __future__ import annotations

import httpx2


def replied(body: bytes, content_type: str = "text/event-stream") -> httpx2.Response:
    request = httpx2.Request("POST", "http://127.0.0.1:9/")
    return httpx2.Response(200, content=body, headers={"content-type": content_type}, request=request)
