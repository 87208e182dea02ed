"""What somebody sees who opens the gateway's address: what this is, and which base URL each SDK takes.

Promise: nothing here is a secret, and nothing of it comes from the configuration; it is the same for everybody, so no key is needed.
The only thing of the caller's in it is the `Host` header, and that only where it looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

_HOST = re.compile(rb"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
_TEXT = "An LLM gateway: it answers the APIs of OpenAI, Anthropic and Google, and sends each request to the model that fits."
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Turnout</title></head><body>
<h1>Turnout</h1>
<p>{text}</p>
<table>
{rows}
</table>
<p><a href="/healthz">health</a> · <a href="/readyz">readiness</a> · <a href="/metrics">metrics</a> (with a key, where keys are configured) ·
models: <code>GET /v1/models</code> · documentation: the <code>docs</code> folder of the source, <code>turnout --help</code></p>
</body></html>
"""


def front_page(headers: Iterable[tuple[bytes, bytes]], scheme: str = "http") -> tuple[bytes, bytes]:
    """Content type and body: a page for a browser, JSON for a program."""
    accept, host = b"", b""
    for name, value in headers:
        if name == b"accept":
            accept = value
        elif name == b"host" and _HOST.match(value):
            host = value
    base = f"{scheme}://{host.decode()}" if host else ""
    urls = {"openai": f"{base}/v1", "anthropic": base or "/", "google-genai": base or "/"}
    if b"text/html" in accept:
        rows = "\n".join(
            [f"<tr><td>{name}</td><td>base URL <code>{url}</code></td></tr>" for name, url in urls.items()]
        )
        return b"text/html; charset=utf-8", _PAGE.format(text=_TEXT, rows=rows).encode()
    about = {
        "name": "turnout",
        "about": _TEXT,
        "base_urls": urls,
        "models": "/v1/models",
        "health": "/healthz",
        "ready": "/readyz",
        "metrics": "/metrics",
        "documentation": "the docs folder of the source; turnout --help",
    }
    return b"application/json", msgspec.json.encode(about)
