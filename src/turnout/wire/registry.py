"""Which dialects there are. A new one is a folder beside this file and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from turnout.core.model import DialectName
from turnout.wire.anthropic import CODEC as ANTHROPIC
from turnout.wire.codec import Codec
from turnout.wire.openai_chat import CODEC as OPENAI_CHAT

CODECS: Mapping[DialectName, Codec] = {codec.name: codec for codec in (OPENAI_CHAT, ANTHROPIC)}
