"""From the params of a request to its message: one row of `PARAMS` for each method. `decode` calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from flowcage._hints import Any
from flowcage.protocol.limits import FIELD_NAMES, LOWERABLE_WIRE_NAMES, MAX_LIMIT, NO_LIMITS, Limits
from flowcage.protocol.members import Members
from flowcage.protocol.messages import (
    DIALECTS,
    ISOLATIONS,
    NO_MODULES,
    Advance,
    Budget,
    Check,
    Drain,
    Imports,
    Initialize,
    Message,
    Ok,
    OkUndefined,
    Peer,
    Poll,
    Rejected,
    Replay,
    Resolution,
    Resolve,
    Run,
    Shutdown,
    Sites,
    Start,
    Take,
)


def limits(members: Members, otherwise: Limits, names: Iterable[str] = FIELD_NAMES) -> Limits:
    """Build limits, each a positive integer.

    Args:
        otherwise: has those that are missing.
        names: of those that are read; others are ignored.
    """
    present = [name for name in names if name in members]
    return otherwise._replace(**{FIELD_NAMES[name]: members.integer(name, 1, MAX_LIMIT) for name in present})


def peer(members: Members) -> Peer:
    """Build a `Peer`."""
    return Peer(members.string("name"), members.string("version"))


def _initialize(members: Members) -> Initialize:
    client, asked = members.object("client"), members.object("limits")
    return Initialize(
        members.string("protocolVersion"),
        peer(client) if client else None,
        limits(asked, Limits()) if asked else Limits(),
        members.choice("isolation", ISOLATIONS) if "isolation" in members else None,
        members.flag("reads"),
    )


def _source(members: Members) -> tuple[str, str, Any]:
    return (
        members.string("source"),
        members.string("sourceName", "workflow.js"),
        members.choice("dialect", DIALECTS, "auto"),
    )


def _modules(members: Members) -> Mapping[str, str]:
    return members.texts("modules") if "modules" in members else NO_MODULES


def _check(members: Members) -> Check:
    asked = members.flag("findings"), members.flag("outline")
    return Check(*_source(members), *asked, _modules(members))


def _start(members: Members) -> Start:
    source, source_name, dialect = _source(members)
    budget, asked = members.object("budget"), members.object("limits")
    return Start(
        source,
        source_name,
        members.any("args"),
        _budget(budget) if budget else Budget(),
        dialect,
        members.flag("describe"),
        limits(asked, NO_LIMITS, LOWERABLE_WIRE_NAMES) if asked else NO_LIMITS,
        _modules(members),
    )


def _run(members: Members) -> Run:
    return Run(*_start(members))


def _resolve(members: Members) -> Resolve:
    return Resolve(members.string("id"), _resolution(members.nested("resolution")))


def _advance(members: Members) -> Advance:
    return Advance(tuple(tuple(map(_resolve, turn)) for turn in members.groups("turns")))


def _replay(members: Members) -> Replay:
    return Replay(*_advance(members))


def _resolution(members: Members) -> Resolution:
    kind = members.choice("type", ("ok", "ok_undefined", "error"))
    if kind == "error":
        return Rejected(members.string("message"))
    if kind == "ok_undefined":
        return OkUndefined()
    budget = members.object("budget")
    return Ok(members.required("value"), _budget(budget) if budget else None)


def _budget(members: Members) -> Budget:
    total = members.required("total")
    return Budget(
        None if total is None else members.integer("total", 0, MAX_LIMIT),
        members.integer("spent", 0, MAX_LIMIT),
    )


PARAMS: dict[str, Callable[[Members], Message]] = {
    "initialize": _initialize,
    "start": _start,
    "run": _run,
    "check": _check,
    "imports": lambda members: Imports(*_source(members)),
    "poll": lambda _: Poll(),
    "take": lambda _: Take(),
    "drain": lambda _: Drain(),
    "resolve": _resolve,
    "advance": _advance,
    "replay": _replay,
    "sites": lambda _: Sites(),
    "shutdown": lambda _: Shutdown(),
}
