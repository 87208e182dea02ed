"""A proxy that refuses everything and remembers what was asked of it.

Every client is told to use it for all but this machine, so that one which looks for the outside is refused at once and found out. Programs
that do not honour proxy variables pass it by (fetch in older versions of Node does), so what it has seen is a finding, not a proof of silence.
"""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType

LINE_BYTES_MAX = 8192
REFUSAL = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
READ_S_MAX = 5.0


class _Refuse(socketserver.StreamRequestHandler):
    timeout = READ_S_MAX

    def handle(self) -> None:
        words = self.rfile.readline(LINE_BYTES_MAX).split()
        if len(words) > 1 and isinstance(self.server, _Server):
            self.server.asked.append(words[1].decode("latin-1"))
        self.wfile.write(REFUSAL)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refuse)
        self.asked: list[str] = []


class Trap:
    """Use as a context manager. `url` is for proxy variables; `asked` are the targets seen since the last `take`."""

    def __init__(self) -> None:
        self._server = _Server()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="trap", daemon=True)

    def take(self) -> tuple[str, ...]:
        """The distinct targets, in order, and forgets them."""
        seen = tuple(dict.fromkeys(self._server.asked))
        self._server.asked.clear()
        return seen

    def __enter__(self) -> Trap:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
