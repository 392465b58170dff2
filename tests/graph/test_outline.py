"""What a child tells as an outline is read, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.graph.outline import MAX_ITEMS, BadOutline, Call, Outline, read

from .outlines import told_of

_CALL = {"kind": "agent", "line": 1, "column": 1, "within": []}
_BLOCK = {"kind": "loop", "line": 1, "column": 1}


def _with(call: Any = _CALL, block: Any = _BLOCK, phases: Any = ()) -> Any:
    return {"calls": [call], "blocks": [block], "phases": list(phases)}


def test_an_outline_is_read_with_all_of_its_members() -> None:
    found = read(
        told_of(
            "phase('A')\nfor (let i = 0; i < 3; i++) { await agent('p', {label: 'l'}); break }",
            {"phases": ["A"]},
        )
    )
    assert found.calls == (
        Call("agent", 2, 37, (0,), {"kind": "agent", "prompt": "p", "label": "l", "phase": "A"}),
    )
    (block,) = found.blocks
    assert (block.kind, block.times, block.leaves, block.text) == ("loop", 3, True, "i < 3")
    (phase,) = found.phases
    assert phase == ("A", True, 1)
    assert not found.truncated


def test_an_empty_one_is_one() -> None:
    assert read({"calls": [], "blocks": [], "phases": [], "truncated": True}) == Outline(truncated=True)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (None, "an object"),
        ([], "an object"),
        ({}, "`blocks`"),
        (_with(phases=[3]), "`phases`"),
        (_with(phases=[{"title": 3}]), "`title`"),
        (_with(phases=[{"title": "a", "line": 0}]), "`line`"),
        (_with(call=3), "`calls`"),
        (_with(call=_CALL | {"kind": "spawn"}), "agent, workflow"),
        (_with(call=_CALL | {"kind": ["agent"]}), "`kind`"),
        (_with(call=_CALL | {"line": True}), "`line`"),
        (_with(call=_CALL | {"line": 2**40}), "`line`"),
        (_with(call=_CALL | {"within": [1]}), "numbers of blocks"),
        (_with(call=_CALL | {"within": [-1]}), "numbers of blocks"),
        (_with(call=_CALL | {"within": [True]}), "numbers of blocks"),
        (_with(call=_CALL | {"within": "0"}), "`within`"),
        (_with(block=_BLOCK | {"kind": "while"}), "`kind`"),
        (_with(block=_BLOCK | {"count": -1}), "`count`"),
        (_with(block=_BLOCK | {"count": 1.5}), "`count`"),
        (_with(block=_BLOCK | {"text": {}}), "`text`"),
        (_with() | {"calls": [_CALL] * (MAX_ITEMS + 1)}, "2,000"),
    ],
)
def test_what_is_no_outline_is_refused(told: Any, says: str) -> None:
    with pytest.raises(BadOutline, match=says):
        read(told)
