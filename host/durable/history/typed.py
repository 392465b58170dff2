"""The entries that most of a log is made of, by code that msgspec makes from types: a second way of reading.

Nearly every entry is an answer, a turn, or a reply that asks agents. The usual way (`codec.carefully`) takes
some 6 µs for one, this one 2; a run of 10,000 calls has 30,000. It has no words for what is wrong and no
verdicts: `read` returns None for all that it does not know for certain, and the entry is read the usual way
from the beginning. What has to hold is one sentence: where this way has a value, the usual way has the same.
`tests/durable/test_typed.py` holds both to it, by golden entries, by generated ones and by damaged ones.

Where msgspec's idea of JSON is wider than ours, and what is done about it:

- An entry is ASCII and begins as `codec.encode` writes it, so `v` and `t` are the first members, and are what
  they seem: looked at before. A second one further on is held to the same.
- Integers of more digits than a double has: looked for before.
- Members that a type does not have are skipped without being looked at: refused here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from flowcage.host.durable.history.digests import Digests
from flowcage.host.run.core.inputs import (
    NO_FACTS,
    NOTHING,
    Answered,
    Input,
    Said,
    Spent,
    State,
    Turn,
)
from flowcage.protocol.limits import MAX_LIMIT
from flowcage.protocol.messages import MISSING, AgentRequest, Call, Log, Phase, Request, SleepRequest


class Decoded(NamedTuple):
    """One entry. `digests` is there for a `Said`, and is of what the child said before it was redacted."""

    input: Input
    digests: Digests | None = None


_LONG_INTEGER = re.compile(rb"[0-9]{300}")
_NUMBERS = frozenset({int, float})
_Id = Annotated[str, Meta(min_length=1)]
_Object = dict[str, Any]


class _Agent(Struct, tag_field="type", tag="agent", forbid_unknown_fields=True):
    id: _Id
    prompt: str
    options: _Object | UnsetType = UNSET

    def value(self) -> Request:
        return AgentRequest(self.id, self.prompt, MISSING if self.options is UNSET else self.options)


class _Sleep(Struct, tag_field="type", tag="sleep", forbid_unknown_fields=True):
    id: _Id
    duration: Annotated[int, Meta(ge=0, le=MAX_LIMIT)] = msgspec.field(name="durationMs")

    def value(self) -> Request:
        return SleepRequest(self.id, self.duration)


class _Log(Struct, tag_field="type", tag="log", forbid_unknown_fields=True):
    values: list[Any]

    def value(self) -> Call:
        return Log(self.values)


class _Phase(Struct, tag_field="type", tag="phase", forbid_unknown_fields=True):
    name: str
    options: _Object | UnsetType = UNSET

    def value(self) -> Call:
        return Phase(self.name, MISSING if self.options is UNSET else self.options)


class _Turn(Struct, forbid_unknown_fields=True):
    v: Literal[1]
    t: Literal["turn"]
    p: str

    def decoded(self) -> Decoded:
        return Decoded(Turn(self.p))


class _Answered(Struct, forbid_unknown_fields=True):
    v: Literal[1]
    t: Literal["answered"]
    id: str
    value: Any
    spent: list[Any] | UnsetType = UNSET
    facts: _Object | UnsetType = UNSET

    def decoded(self) -> Decoded | None:
        spent, facts = NOTHING, NO_FACTS if self.facts is UNSET else self.facts
        if self.spent is not UNSET:
            kinds = [type(each) for each in self.spent]
            if len(kinds) != 3 or kinds[0] is not int or not _NUMBERS.issuperset(kinds):
                return None
            spent = Spent(*self.spent)
        return Decoded(Answered(self.id, self.value, spent, facts))


class _Said(Struct, forbid_unknown_fields=True):
    v: Literal[1]
    t: Literal["said"]
    p: str
    asked: str
    said: str
    calls: list[_Log | _Phase] = []
    requests: list[_Agent | _Sleep] = []
    state: Literal["partial", "pending", "more", "stalled", "complete"] = "pending"

    def decoded(self) -> Decoded:
        calls = tuple([each.value() for each in self.calls])
        requests = tuple([each.value() for each in self.requests])
        said = Said(self.p, calls, requests, state=State(self.state))
        return Decoded(said, Digests(self.asked, self.said))


# By the first 13 bytes.
_Read: TypeAlias = Callable[[bytes], _Turn | _Answered | _Said]
_READERS: Mapping[bytes, _Read] = MappingProxyType(
    {
        b'{"v":1,"t":"a': msgspec.json.Decoder(_Answered).decode,
        b'{"v":1,"t":"t': msgspec.json.Decoder(_Turn).decode,
        b'{"v":1,"t":"s': msgspec.json.Decoder(_Said).decode,
    }
)


def read(data: bytes) -> Decoded | None:
    """The entry; None where it has to be read the usual way."""
    decode = _READERS.get(data[:13])
    if decode is None or not data.isascii() or (len(data) > 300 and _LONG_INTEGER.search(data)):
        return None
    try:
        return decode(data).decoded()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
