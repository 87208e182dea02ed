"""Noticing that a file changed, by asking.

Promise: a change is reported once. Asking costs one `stat`, so it needs no thread and no notification service, and works on
every file system and through the symbolic links that containers mount. A file that is gone for a moment, as while an editor
replaces it, is not a change; its return is one if it is not the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class _Stamp(NamedTuple):
    mtime_ns: int
    size_bytes: int
    inode: int


class Watcher:
    """Compares the file with how it was when last asked (at first: when this was made)."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._last = self._stamp()

    def changed(self) -> bool:
        """Whether the file is another than at the last call; never raises."""
        stamp = self._stamp()
        if stamp is None or stamp == self._last:
            return False
        self._last = stamp
        return True

    def _stamp(self) -> _Stamp | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return _Stamp(stat.st_mtime_ns, stat.st_size, stat.st_ino)
