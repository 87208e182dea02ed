"""Which dialects there are. A new one is a folder beside this file and a line here.

`CODECS` are the dialects that clients speak, `PROVIDERS` all that providers speak: those and some more.
"""

from __future__ import annotations

from collections.abc import Mapping

from turnout.core.model import DialectName
from turnout.wire.anthropic import CODEC as ANTHROPIC
from turnout.wire.bedrock import CODEC as BEDROCK
from turnout.wire.bedrock import INVOKE_ANTHROPIC as BEDROCK_ANTHROPIC
from turnout.wire.codec import Codec, ProviderCodec
from turnout.wire.cohere import CODEC as COHERE
from turnout.wire.gemini import CODEC as GEMINI
from turnout.wire.mistral import CODEC as MISTRAL
from turnout.wire.ollama import CODEC as OLLAMA
from turnout.wire.openai_chat import CODEC as OPENAI_CHAT
from turnout.wire.openai_responses import CODEC as OPENAI_RESPONSES

_CLIENTS: tuple[Codec, ...] = (OPENAI_CHAT, ANTHROPIC, GEMINI, OPENAI_RESPONSES)
_PROVIDERS_ONLY: tuple[ProviderCodec, ...] = (BEDROCK, BEDROCK_ANTHROPIC, COHERE, MISTRAL, OLLAMA)

CODECS: Mapping[DialectName, Codec] = {codec.name: codec for codec in _CLIENTS}
PROVIDERS: Mapping[DialectName, ProviderCodec] = {
    codec.name: codec for codec in (*_CLIENTS, *_PROVIDERS_ONLY)
}
