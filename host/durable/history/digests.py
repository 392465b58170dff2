"""Digests of what a child asked and said, keyed so that a digest does not tell what it was made from.

Two replies ask the same if their canonical JSON is the same: members in the order of their names, no spaces,
ASCII. So the order of an object's members does not make a replay diverge, and the form of a number does.
A key belongs to a store; whoever holds a digest without the key cannot try guesses against it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from flowcage.host.durable.history.forms import call_form, request_form
from flowcage.host.run.core.inputs import Said
from flowcage.protocol.messages import Json

_CANONICAL = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"), sort_keys=True)


class Digests(NamedTuple):
    """Of one reply, as hexadecimal text.

    Attributes:
        asked: requests, state and result. Another one means that the workflow has diverged.
        said: calls and diagnostics. Another one is worth a warning: a message may have been reworded.
    """

    asked: str
    said: str


def canonical(value: Json) -> bytes:
    """The canonical JSON of a value."""
    return _CANONICAL.encode(value).encode("ascii")


def digest(key: bytes, value: Json) -> str:
    """The keyed BLAKE2b-128 of a value's canonical JSON."""
    return blake2b(canonical(value), digest_size=16, key=key).hexdigest()


def digests_of(key: bytes, said: Said) -> Digests:
    """What a reply is compared by."""
    if not said.calls and not said.diagnostics:  # mostly
        return Digests(digest_of_asked(key, said), of_nothing_said(key))
    calls = [call_form(each) for each in said.calls]
    notes = [dict(note) for note in said.diagnostics]
    return Digests(digest_of_asked(key, said), digest(key, [calls, notes]))


@lru_cache(maxsize=16)
def of_nothing_said(key: bytes) -> str:
    """`Digests.said` of a reply without calls and diagnostics."""
    return digest(key, [[], []])


def digest_of_asked(key: bytes, said: Said) -> str:
    """As `Digests.asked`."""
    requests = [request_form(each) for each in said.requests]
    return digest(key, [requests, said.state, said.result])
