"""The messages of a running workflow by code that msgspec makes from types: a second way, for speed alone.

Nearly every line between `start` and the end of a run is one of two: answers that go out, or a drain that
hands out calls and requests. For such a pair the usual way (`protocol.decode`, `encode`, `envelope`) takes
20 µs, this one 4. It has no words for what is wrong, and no verdicts: `reply` and `params` return None for
all that they do not know for certain. The caller takes the usual way then, from the beginning: the same line
is read anew, and what it says is right or wrong by the usual rules only.

So what has to hold is one sentence: where this way has a value, the usual way has the same.
`tests/process/test_typed.py` holds both to it, by golden transcripts, by generated lines and by damaged ones.
With FLOWCAGE_CHECK_MESSAGES=1 each message of a run is put to both; with FLOWCAGE_TYPED_CODEC=0 there is only
the usual one.

Where msgspec's idea of JSON is wider than ours, and what is done about it:

- Integers of 309 digits and more, which are infinities to most readers: looked for before.
- Depth and number of values: `strictjson.check_structure`, before, as on the usual way.
- Members that a type does not have are skipped without being looked at: refused here, so that a line with a
  member of a later version, or with `more`, `stalled` or `diagnostics`, goes the usual way.

Where it is narrower (lone surrogates as escapes), the usual way reads the line.

What is written is right by construction: each part is held to its exact type, and nothing is decoded to
see whether it may be sent. Text is the usual value of an answer; any other is encoded by `strictjson`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from flowcage.protocol import strictjson
from flowcage.protocol.decode import DRAINS
from flowcage.protocol.limits import LOWERABLE_WIRE_NAMES, MAX_LIMIT, NO_LIMITS, Limits
from flowcage.protocol.messages import (
    DIALECTS,
    MISSING,
    Advance,
    AgentRequest,
    Budget,
    Call,
    Drain,
    Drained,
    Json,
    Log,
    Message,
    Ok,
    OkUndefined,
    Phase,
    Rejected,
    Replay,
    Request,
    Resolution,
    Resolve,
    Run,
    SandboxExecRequest,
    SleepRequest,
    WorkflowRequest,
)

_LONG_INTEGER = re.compile(rb"[0-9]{%d}" % strictjson.MAX_INTEGER_DIGITS)
_DEFAULTS = Run._field_defaults

_Id = Annotated[str, Meta(min_length=1)]
_Object = dict[str, Any]


class _Agent(Struct, tag_field="type", tag="agent", forbid_unknown_fields=True):
    id: _Id
    prompt: str
    options: _Object | UnsetType = UNSET

    def value(self) -> Request:
        options = self.options
        return AgentRequest(self.id, self.prompt, MISSING if options is UNSET else options)


class _Workflow(Struct, tag_field="type", tag="workflow", forbid_unknown_fields=True):
    id: _Id
    ref: str | _Object
    args: Any = UNSET

    def value(self) -> Request:
        if type(self.ref) is not str:
            msgspec.convert(self.ref, _Path)
        return WorkflowRequest(self.id, self.ref, MISSING if self.args is UNSET else self.args)


class _Sleep(Struct, tag_field="type", tag="sleep", forbid_unknown_fields=True):
    id: _Id
    duration: Annotated[int, Meta(ge=0, le=MAX_LIMIT)] = msgspec.field(name="durationMs")

    def value(self) -> Request:
        return SleepRequest(self.id, self.duration)


class _Exec(Struct, tag_field="type", tag="sandbox_exec", forbid_unknown_fields=True):
    id: _Id
    profile: str
    request: _Object

    def value(self) -> Request:
        msgspec.convert(self.request, _Program)
        return SandboxExecRequest(self.id, self.profile, self.request)


class _Path(Struct):
    """The form of an object `ref`. Its other members have been read, so they are JSON."""

    path: str = msgspec.field(name="scriptPath")


class _Program(Struct):
    """The form of the member `request` of a `SandboxExecRequest`."""

    command: str
    args: list[str] | UnsetType = UNSET
    env: dict[str, str] | UnsetType = UNSET
    cwd: str | UnsetType = UNSET
    stdin: str | UnsetType = UNSET


class _Log(Struct, tag_field="type", tag="log", forbid_unknown_fields=True):
    values: list[Any]

    def value(self) -> Call:
        return Log(self.values)


class _Phase(Struct, tag_field="type", tag="phase", forbid_unknown_fields=True):
    name: str
    options: _Object | UnsetType = UNSET

    def value(self) -> Call:
        return Phase(self.name, MISSING if self.options is UNSET else self.options)


class _Output(Struct, forbid_unknown_fields=True):
    result: Any


class _Drained(Struct, forbid_unknown_fields=True):
    calls: list[_Log | _Phase]
    requests: list[_Agent | _Workflow | _Sleep | _Exec]
    state: Literal["pending", "complete"]
    output: _Output | UnsetType = UNSET
    dialect: Literal["module", "script"] | UnsetType = UNSET
    counts: list[Annotated[int, Meta(ge=0, le=MAX_LIMIT)]] | UnsetType = UNSET


class _Reply(Struct, forbid_unknown_fields=True):
    jsonrpc: Literal["2.0"]
    id: int
    result: _Drained


_decode = msgspec.json.Decoder(_Reply).decode
_encode = msgspec.json.Encoder().encode


def reply(line: bytes, identifier: int, method: str) -> Drained | None:
    """The result of one of `DRAINS`; None where the line has to be read the usual way.

    Args:
        line: as the child sent it.
        identifier, method: of the message that is to be answered next.
    """
    if method not in DRAINS:
        return None
    try:
        strictjson.check_structure(line)
        if len(line) > strictjson.MAX_INTEGER_DIGITS and _LONG_INTEGER.search(line):
            return None
        read = _decode(line)
        if read.id != identifier:
            return None
        return _drained(read.result, method)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _drained(read: _Drained, method: str) -> Drained | None:
    complete, output, dialect = read.state == "complete", read.output, read.dialect
    if complete is (output is UNSET) or (dialect is not UNSET and method != "run"):
        return None
    if (read.counts is UNSET) is (method == "replay") or read.counts == []:
        return None
    return Drained(
        [each.value() for each in read.calls] if read.calls else [],
        [each.value() for each in read.requests] if read.requests else [],
        complete,
        MISSING if output is UNSET else {"result": output.result},
        False,
        (),
        False,
        MISSING if dialect is UNSET else dialect,
        () if read.counts is UNSET else tuple(read.counts),
    )


_OF_TURNS = (Advance, Replay)


class _Unusual(Exception):
    """Something that the usual way decides about."""


def params(message: Message) -> bytes | None:
    """The params of a message as JSON; None where they have to be checked and encoded the usual way."""
    if type(message) is Drain:
        return b"{}"
    try:
        written = _turns(message) if type(message) in _OF_TURNS else _run(message)
    except (_Unusual, msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return None
    return written if len(written) < strictjson.MAX_VALUES else None  # so it has fewer values than that


def _turns(message: Any) -> bytes:
    if len(message.turns) == 1 and len(message.turns[0]) == 1:  # nearly always
        return b'{"turns":[[%b]]}' % _resolve(message.turns[0][0])
    turns = [b",".join([_resolve(each) for each in turn]) for turn in message.turns]
    return b'{"turns":[[%b]]}' % b"],[".join(turns)


def _resolve(message: Resolve) -> bytes:
    return b'{"id":%b,"resolution":%b}' % (_text(message.id), _resolution(message.resolution))


def _resolution(resolution: Resolution) -> bytes:
    if type(resolution) is Ok:
        value, budget = resolution
        encoded = _encode(value) if type(value) is str else _sendable(value)
        if budget is None:
            return b'{"type":"ok","value":%b}' % encoded
        return b'{"type":"ok","value":%b,"budget":%b}' % (encoded, _budget(budget))
    if type(resolution) is OkUndefined:
        return b'{"type":"ok_undefined"}'
    assert type(resolution) is Rejected
    return b'{"type":"error","message":%b}' % _text(resolution.message)


def _run(message: Message) -> bytes:
    if type(message) is not Run or message.dialect not in DIALECTS or message.modules:
        raise _Unusual
    parts = [b'"source":%b' % _text(message.source)]
    if message.source_name != _DEFAULTS["source_name"]:
        parts.append(b'"sourceName":%b' % _text(message.source_name))
    if message.args is not MISSING:
        parts.append(b'"args":%b' % _sendable(message.args))
    if message.budget != Budget():
        parts.append(b'"budget":%b' % _budget(message.budget))
    if message.dialect != _DEFAULTS["dialect"]:
        parts.append(b'"dialect":%b' % _text(message.dialect))
    if message.describe:
        parts.append(b'"describe":true')
    if message.limits != NO_LIMITS:
        parts.append(b'"limits":%b' % _limits(message.limits))
    return b"{%b}" % b",".join(parts)


def _limits(limits: Limits) -> bytes:
    named = limits.to_wire()
    if not all(name in LOWERABLE_WIRE_NAMES for name in named):
        raise _Unusual
    return _encode({name: _count(value) for name, value in named.items()})


def _budget(budget: Budget) -> bytes:
    total, spent = budget
    if total is None:
        return b'{"total":null,"spent":%d}' % _count(spent)
    return b'{"total":%d,"spent":%d}' % (_count(total), _count(spent))


def _count(value: int) -> int:
    if type(value) is not int or not 0 <= value <= MAX_LIMIT:
        raise _Unusual
    return value


def _text(value: str) -> bytes:
    if type(value) is not str:
        raise _Unusual
    return _encode(value)


def _sendable(value: Json) -> bytes:
    if type(value) is dict and not value:  # the usual args
        return b"{}"
    written = strictjson.encoded(value)
    strictjson.check_structure(written, strictjson.MAX_VALUE_DEPTH)
    if _LONG_INTEGER.search(written):
        raise _Unusual
    return written
