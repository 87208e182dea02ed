"""Prompt caches as providers have them: prefixes that were seen before are cheaper.

Prefixes are remembered by digest, the least recently used forgotten first. Time does not pass here: a duration is only
reported back.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

CACHEABLE_TOKENS_MIN = 1024
BLOCK_CHARACTERS = 512
ENTRIES_MAX = 10_000


class PromptCache:
    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def known(self, model: str, prefix: str) -> bool:
        """Was this very prefix stored before? Stores it."""
        key = hashlib.sha256(f"{model}\0{prefix}".encode("utf-8", "surrogatepass")).digest()
        hit = key in self._seen
        self._seen[key] = None
        self._seen.move_to_end(key)
        while len(self._seen) > ENTRIES_MAX:
            self._seen.popitem(last=False)
        return hit

    def longest(self, model: str, text: str) -> int:
        """How many characters of `text` were the beginning of an earlier one, in whole blocks. Stores all its blocks."""
        hit = 0
        blocks = min(len(text) // BLOCK_CHARACTERS, 256)
        for number in range(8, blocks + 1, 8 if blocks > 64 else 1):
            size = number * BLOCK_CHARACTERS
            if self.known(model, text[:size]):
                hit = size
        return hit
