"""Whose is what a request refers to? With keys, what a provider keeps for the gateway belongs to the key that made it.

Promise: Turnout makes no files, caches or stores for anybody, so it cannot know whose such an object is: a request that names one gets to a
provider only where the operator said that everybody may (`providers.<name>.shared_objects`), and is refused otherwise before anything is
sent. Without keys there is one user, and nothing is asked. Responses are `remembering`'s affair: of those the owner is known.
"""

from __future__ import annotations

from turnout.core.call import Call
from turnout.core.errors import Failure, Kind
from turnout.wire.references import find_reference


def note_references(call: Call) -> None:
    """Write on the call how a provider that is not shared ends it (`Call.refers`)."""
    if call.op == "embeddings" or call.envelope.form is not None:
        return
    found = find_reference(call.dialect, call.envelope.body)
    if found is not None:
        text = (
            f"{found.param}: there are no {found.what} of this key's: those that a provider keeps cannot be told apart by key. "
            "Send the content itself, or ask the operator to allow it (`shared_objects`)."
        )
        call.refers = Failure(Kind.BAD_REQUEST, text, param=found.param)
