"""Broken run and advance."""

from __future__ import annotations

from typing import Any

from .mutant import (
    Action,
    Mutant,
    completes,
    earlier,
    edit,
    edit_data,
    error,
    has,
    method,
    reading,
    result,
    when,
)


def _told(name: str, source: str, then: Action, nth: int = 0) -> Mutant:
    """In a workflow with this text, the answer to a message of this method."""
    return when(method(name, nth), lambda turn: source in turn.source, then=then)


def _members(**members: Any) -> Action:
    return edit(lambda told: told.update(members))


def _without(name: str) -> Action:
    return edit(lambda told: told.pop(name, None))


def _drained(**members: Any) -> Action:
    return result({"calls": [], "requests": [], "state": "pending", **members})


OF_JOINED: dict[str, Mutant] = {
    "initialize/named-methods": when(has('"named take"'), then=error("method_not_found")),
    "run/start-and-drain": _told("run", 'agent("r")', edit(lambda told: told["requests"].pop())),
    "run/start-and-drain: a call": _told("run", 'agent("r")', edit(lambda told: told["calls"].reverse())),
    "run/complete": _told("run", "at once' }", edit(lambda told: told["output"].update(result=None))),
    "run/stalled": _told("run", "'never'", _without("stalled")),
    "run/goes-on": _told("resolve", 'agent("who")', error("unknown_request")),
    "run/params": reading("flows/ran.js", "ran.js"),
    "run/params: args": reading('"args": {"n": 2}', '"args": {}'),
    "run/params: the budget": reading('"budget": {"total": 9,', '"budget": {"total": 8,'),
    "run/described": _told("run", "a described run", _members(dialect="module")),
    "run/described: without": _told("run", "a described run", _without("dialect")),
    "run/not-described": _told("run", "'plain'", _members(dialect="script")),
    "run/syntax": _told("run", "1 +; // run", _drained(stalled=True)),
    "run/syntax: not repeated": _told("drain", "1 +; // run", error("syntax", message="another")),
    "run/failure": _told("run", '"ran into it"', _drained(more=True)),
    "run/failure: not repeated": _told("drain", '"ran into it"', error("exception", message="another")),
    "run/more": _told("run", "before it", error("exception")),
    "run/more: not told": _told("run", "before it", _without("more")),
    "run/lower-limit": reading('// too many", "limits": {"maxPendingRequests": 1}', '// too many"'),
    "run/lower-step": _told("run", "// lower", completes(None)),
    "run/higher-limit": _told("run", "still too many", _drained()),
    "run/other-limits": _told("run", "repeat(1000)", error("limit")),
    "run/invalid-params": when(has("run-without-source.js"), then=completes(1)),
    "run/invalid-params: a source": reading('"source": 7', '"source": "7"'),
    "run/invalid-params: limits": when(has('"limits": 7'), then=edit_data(path="")),
    "run/invalid-params: a limit of zero": reading(
        '"source": "", "limits": {"cpuSeconds": 0}', '"source": "", "limits": {"cpuSeconds": 1}'
    ),
    "run/invalid-params: a fraction": when(
        has('"memoryBytes": 1.5'), method("run"), then=edit_data(path="/limits")
    ),
    "run/before-initialize": when(has('"too early"'), method("run"), then=error("invalid_request")),
    "run/once": when(has("'run again'"), then=completes("run again")),
    "run/once: a start": when(has("'start again'"), then=result({})),
    "run/after-start": when(method("run"), earlier("'started'"), then=completes("started")),
    "advance/settles-and-drains": _told("advance", 'agent("next")', _members(requests=[])),
    "advance/settles-and-drains: a call": _told("advance", 'agent("next")', _members(calls=[])),
    "advance/resolutions": reading(
        ', {"id": "2", "resolution": {"type": "ok_undefined"}}',
        ', {"id": "2", "resolution": {"type": "ok", "value": null}}',
    ),
    "advance/resolutions: a value": reading('"value": [null]}', '"value": null}'),
    "advance/resolutions: an error": reading('"not now"', '"never"'),
    "advance/budget": reading('"spent": 66', '"spent": 0'),
    "advance/order": _told("advance", "in order", edit(lambda told: told["calls"].reverse())),
    "advance/turn-by-turn": _told("advance", '"turned"', error("unknown_request")),
    "advance/turn-by-turn: lost": _told("advance", '"turned"', edit(lambda told: told["calls"].pop(0))),
    "advance/unknown-id": when(has('"98"'), then=edit_data(id="1")),
    "advance/unknown-id: without the turn": when(has('"98"'), then=edit_data(turn=None)),
    "advance/unknown-id: settled": when(earlier('"98"'), method("advance"), then=error("unknown_request")),
    "advance/twice-in-a-turn": when(has('"other"'), then=completes("one")),
    "advance/twice-in-a-turn: settled": when(
        earlier('"other"'), method("advance"), then=error("unknown_request")
    ),
    "advance/unknown-in-a-later-turn": when(has('"97"'), then=edit_data(turn=0)),
    "advance/unknown-in-a-later-turn: undone": when(
        method("drain"), earlier('"97"'), then=_members(calls=[])
    ),
    "advance/completes-early": when(has('"96"'), then=error("unknown_request", turn=1)),
    "advance/failure": when(has('"95"'), then=error("unknown_request", turn=1)),
    "advance/failure: not repeated": _told("drain", "in a turn", error("exception", message="other"), 2),
    "advance/more": _told("advance", '"and then"', error("exception")),
    "advance/more: not told": _told("advance", '"and then"', _without("more")),
    "advance/after-failure": _told("advance", '"last"', error("exception"), 2),
    "advance/after-failure: unknown": _told("advance", '"last"', error("unknown_request"), 3),
    "advance/after-completion": _told("advance", "left behind by advance", error("unknown_request")),
    "advance/timeout": when(has("endless turn"), then=completes(None)),
    "advance/invalid-params": when(method("advance"), has('"params": {}}'), then=edit_data(path="/turns")),
    "advance/invalid-params: a number": when(method("advance"), has('"turns": 5'), then=edit_data(path="")),
    "advance/invalid-params: no turns": when(method("advance"), has('"turns": []'), then=_drained()),
    "advance/invalid-params: an empty turn": when(method("advance"), has('"turns": [[]]'), then=_drained()),
    "advance/invalid-params: no groups": when(
        method("advance"), has('"turns": [{'), then=edit_data(path="/turns")
    ),
    "advance/invalid-params: no answer": when(method("advance"), has("[5]"), then=edit_data(path="/turns/1")),
    "advance/invalid-params: an id": reading('[[{"id": 1, ', '[[{"id": "1", ', "advance"),
    "advance/invalid-params: a type": reading('"perhaps"', '"ok_undefined"', "advance"),
    "advance/before-start": when(has('"early"'), method("advance"), then=error("unknown_request")),
}
