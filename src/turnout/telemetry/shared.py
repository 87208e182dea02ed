"""What the workers of one gateway have counted, for each other: a file a worker in a folder that they share.

Promise: whichever worker is scraped, the scrape shows all of them: its own counts as they are, the others' as of their last `publish`,
which the housekeeping calls a few times a second. A worker that is started in place of a dead one goes on from what that
one had published, so sums do not fall. A file is replaced as a whole; one that cannot be read counts for nothing. Gauges of
a worker that ended are gone with it. It must not know what is counted.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from turnout.telemetry.metrics import Metrics, Snapshot

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode


class SharedMetrics:
    """One worker's view. `folder` is this gateway's alone, and there as long as any of its workers."""

    def __init__(self, metrics: Metrics, folder: Path, worker: int) -> None:
        """Raises `OSError` when the folder cannot be read."""
        self._metrics = metrics
        self._folder = folder
        self._path = folder / f"worker-{worker}"
        self._published = b""
        if (before := _read(self._path)) is not None:
            metrics.counts.add(before.counts)

    def publish(self, *, last: bool = False) -> None:
        """Let the others know; `last`: this worker ends, and its gauges with it. Raises `OSError`."""
        snapshot = self._metrics.snapshot()
        data = _encode(Snapshot(snapshot.counts) if last else snapshot)
        if data == self._published:
            return
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(data)
        fresh.replace(self._path)
        self._published = data

    def text(self) -> bytes:
        """The exposition of all workers."""
        paths = sorted(self._folder.glob("worker-*[0-9]"))
        found = [_read(path) for path in paths if path != self._path]
        return self._metrics.text([one for one in found if one is not None])


def _read(path: Path) -> Snapshot | None:
    try:
        return _decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
