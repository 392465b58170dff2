"""Broken replay and sites."""

from __future__ import annotations

from .mutant import Action, Mutant, completes, edit, edit_data, error, has, method, reading, result, when


def _told(name: str, source: str, then: Action, nth: int = 0) -> Mutant:
    """In a workflow with this text, the answer to a message of this method."""
    return when(method(name, nth), lambda turn: source in turn.source, then=then)


def _members(**members: object) -> Action:
    return edit(lambda told: told.update(members))


def _drained(**members: object) -> Action:
    return result({"calls": [], "requests": [], "state": "pending", "counts": [1], **members})


OF_REPLAYED: dict[str, Mutant] = {
    "replay/settled-requests": _told(
        "replay", '"replayed"', edit(lambda told: told.update(requests=told["requests"][1:], counts=[0, 1]))
    ),
    "replay/counts": _told("replay", 'agent("d")', _members(counts=[2, 0])),
    "replay/calls": _told("replay", '"calls"', _members(calls=[])),
    "replay/calls: their order": _told("replay", '"calls"', edit(lambda told: told["calls"].reverse())),
    "replay/turn-by-turn": reading(
        '[[{"id": "2", "resolution": {"type": "ok", "value": "B"}}], [',
        '[[{"id": "1", "resolution": {"type": "ok", "value": "B"}}], [',
    ),
    "replay/turn-by-turn: joined": _told("replay", '"after "', _members(counts=[1, 0])),
    "replay/completes": when(has('"94"'), then=_drained()),
    "replay/completes: counted": when(has('"94"'), then=_members(counts=[1])),
    "replay/failure": _told("replay", '"in a replay"', error("exception"), 1),
    "replay/failure: not told": _told("replay", '"in a replay"', _drained(), 2),
    "replay/more": _told("replay", "and then in a replay", error("exception")),
    "replay/more: not told": _told(
        "replay", "and then in a replay", edit(lambda told: told.pop("more", None))
    ),
    "replay/unknown-id": when(has('"93"'), then=edit_data(id="1")),
    "replay/unknown-id: carried out": when(has('"93"'), then=_drained()),
    "replay/unknown-in-a-later-turn": when(has('"92"'), then=error("unknown_request", turn=1)),
    "replay/unknown-in-a-later-turn: counted": when(has('"92"'), then=_members(counts=[1, 0])),
    "replay/timeout": when(has("endless replay"), then=completes(None)),
    "replay/queued": _told("replay", '"queued"', error("limit"), 1),
    "replay/invalid-params": when(has('"params": {}}'), method("replay"), then=edit_data(path="/turns")),
    "replay/invalid-params: no turns": when(has('"turns": []'), method("replay"), then=_drained()),
    "replay/before-start": when(has('"replayed early"'), then=error("unknown_request")),
    "sites/outstanding": _told("sites", 'agent("sites")', _members(sites=[{"id": "3"}])),
    "sites/outstanding: their order": _told(
        "sites", 'agent("sites")', edit(lambda told: told["sites"].reverse())
    ),
    "sites/line": _told("sites", "await ask()", _members(sites=[{"id": "1", "line": 5, "column": 1}])),
    "sites/changes-nothing": _told("sites", "a call of sites", _members(sites=[]), 2),
    "sites/failed": _told("sites", "no sites", result({"sites": []})),
    "sites/before-start": when(method("sites"), lambda turn: not turn.source, then=error("unknown_request")),
}
