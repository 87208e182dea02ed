"""Responses that a client may refer to later, in memory.

Promise: what is kept is bounded three ways (entries, bytes, age); the least recently used goes first. A response is found by its id *and* its
owner: one key's id means nothing to another key, and is answered exactly as an id that never was. Nothing that is kept is ever replaced: an id
belongs to the first response that had it, whoever owns the second. The store forgets: it is a convenience of
the API (`previous_response_id`), not a record, and a restart empties it.

It must not know what a response says, what time it is, or who asks over which connection: texts and the clock's reading are handed in.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct
from msgspec.structs import replace

ENTRIES_MAX = 10_000
BYTES_MAX = 256 * 1024 * 1024
ENTRY_BYTES_MAX = 16 * 1024 * 1024
AGE_S_MAX = 24 * 60 * 60
_ENTRY_OVERHEAD_BYTES = 512
_CLAIMS_MAX = 20_000  # ids of responses that are on their way


class Stored(Struct, frozen=True):
    """A response and what led to it. Both are JSON texts: `body` the response object, `input` the array of all input items,
    those of earlier responses included; `output` the array of what the model said. `provider` made it and keeps it under this
    id; `None`: it was made by another dialect, or was not to be kept there."""

    id: str
    body: bytes
    input: bytes
    output: bytes
    provider: str | None = None


class _Entry(Struct, frozen=True):
    owner: str
    stored: Stored
    size_bytes: int
    expires_s: float


class Conversations:
    """Bounded, in memory, least recently used first out. `now_s` is any monotonic reading in seconds."""

    __slots__ = (
        "_age_s_max",
        "_bytes",
        "_bytes_max",
        "_claims",
        "_entries",
        "_entries_max",
        "_entry_bytes_max",
    )

    def __init__(
        self,
        *,
        entries_max: int = ENTRIES_MAX,
        bytes_max: int = BYTES_MAX,
        entry_bytes_max: int = ENTRY_BYTES_MAX,
        age_s_max: float = AGE_S_MAX,
    ) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._claims: dict[str, bool] = {}  # the oldest first; true: given twice already
        self._bytes = 0
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._entry_bytes_max = entry_bytes_max
        self._age_s_max = age_s_max

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, response_id: object) -> bool:
        """Is it kept, for whomever?"""
        return response_id in self._entries

    @property
    def size_bytes(self) -> int:
        """What is counted against `bytes_max`."""
        return self._bytes

    def put(self, owner: str, stored: Stored, now_s: float) -> bool:
        """Keep a response. False, and nothing changes, when it is larger than one entry may be, or when its id is another's."""
        if self._claims.pop(stored.id, False):
            stored = replace(stored, provider=None)
        self._age(stored.id, now_s)
        if stored.id in self._entries:
            return False
        size = len(stored.body) + len(stored.input) + len(stored.output) + _ENTRY_OVERHEAD_BYTES
        if size > min(self._entry_bytes_max, self._bytes_max) or self._entries_max < 1:
            return False
        while self._entries and (
            len(self._entries) >= self._entries_max or self._bytes + size > self._bytes_max
        ):
            self._remove(next(iter(self._entries)))
        self._entries[stored.id] = _Entry(owner, stored, size, now_s + self._age_s_max)
        self._bytes += size
        return True

    def get(self, owner: str, response_id: str, now_s: float) -> Stored | None:
        """The owner's response, which is then the most recently used; `None` if it is unknown, another's, or too old."""
        self._age(response_id, now_s)
        entry = self._entries.get(response_id)
        if entry is None or entry.owner != owner:
            return None
        self._entries.move_to_end(response_id)
        return entry.stored

    def claim(self, response_id: str) -> bool:
        """May a provider's response that begins bear this id? False when another has it, or is about to.

        A provider that gives an id twice may have replaced what it kept under it: the first response, which is known here, is from now on
        nobody's but ours (`Stored.provider` is `None`), so that a reference to it never continues the second.
        """
        entry = self._entries.get(response_id)
        if entry is not None:
            self._entries[response_id] = replace(entry, stored=replace(entry.stored, provider=None))
            return False
        if response_id in self._claims:
            self._claims[response_id] = True
            return False
        while len(self._claims) >= _CLAIMS_MAX:
            del self._claims[next(iter(self._claims))]
        self._claims[response_id] = False
        return True

    def delete(self, owner: str, response_id: str) -> bool:
        """Forget the owner's response. False when there is none."""
        entry = self._entries.get(response_id)
        if entry is None or entry.owner != owner:
            return False
        self._remove(response_id)
        return True

    def expire(self, now_s: float) -> int:
        """Forget everything that is too old; how many that was. For a timer: `get` does not need it."""
        old = [name for name, entry in self._entries.items() if entry.expires_s <= now_s]
        for name in old:
            self._remove(name)
        return len(old)

    def _age(self, response_id: str, now_s: float) -> None:
        entry = self._entries.get(response_id)
        if entry is not None and entry.expires_s <= now_s:
            self._remove(response_id)

    def _remove(self, response_id: str) -> None:
        self._bytes -= self._entries.pop(response_id).size_bytes
