"""Ways to ask for an answer of a certain form, from the one that binds the model most to the last resort."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from flowcage.host.agents.http.forms.subset import Outside, Subset, narrowed, unwrapped, wrapped
from flowcage.host.agents.schema.references import inlined
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json


class Way(Enum):
    """How the form of an answer is asked for.

    `FORMAT` makes the provider hold its model to a schema; `TOOL` forces the model to use a tool whose input
    has the schema, to which it is not held; `PROMPT` says it in the prompt.
    """

    TEXT = "text"
    FORMAT = "format"
    TOOL = "tool"
    PROMPT = "prompt"


class Means(NamedTuple):
    """One way, for one schema.

    Attributes:
        way: that is gone.
        schema: as the provider gets it; None where it gets none.
        restore: makes of the answer what the workflow's schema describes.
    """

    way: Way
    schema: Json = None
    restore: Callable[[Json], Json] = lambda value: value


def means_for(schema: Json, subset: Subset | None, ways: Sequence[Way]) -> Iterator[Means]:
    """The ways that can be gone with a schema, in their order.

    Args:
        schema: the workflow's; None for an answer of text.
        subset: that the provider takes; None for one that takes what it can of any schema.
        ways: that there are.
    """
    if schema is None:
        yield Means(Way.TEXT)
        return
    for way in ways:
        found = _format(schema, subset) if way is Way.FORMAT else _tool(schema) if way is Way.TOOL else None
        if way is Way.PROMPT:
            yield Means(Way.PROMPT)
        elif found is not None:
            yield found


def _format(schema: Json, subset: Subset | None) -> Means | None:
    if subset is None:
        return Means(Way.FORMAT, schema)
    try:
        return Means(Way.FORMAT, *narrowed(schema, subset))
    except Outside:
        return None


def _tool(schema: Json) -> Means | None:
    if isinstance(schema, dict) and schema.get("type") == "object":
        return Means(Way.TOOL, schema)
    whole = inlined(schema)
    return None if whole is None else Means(Way.TOOL, wrapped(whole.schema), unwrapped)


class Refusals:
    """The means that a provider has refused, so that they are not tried for each call."""

    _MOST = 1_000

    def __init__(self) -> None:
        self._known: dict[bytes, None] = {}

    def add(self, model: str, means: Means) -> None:
        """Remember one. Of many the oldest is forgotten."""
        self._known[self._key(model, means)] = None
        if len(self._known) > self._MOST:
            del self._known[next(iter(self._known))]

    def has(self, model: str, means: Means) -> bool:
        """Whether it was refused."""
        return bool(self._known) and self._key(model, means) in self._known

    def _key(self, model: str, means: Means) -> bytes:
        text = strictjson.dumps([model, means.way.value, means.schema])
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
