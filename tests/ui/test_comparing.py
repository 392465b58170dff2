"""Calls of two runs in pairs."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.durable.history.forms import Withheld
from flowcage.host.resume.looking.calls import RunCall
from flowcage.host.ui.api.comparing import _pair_json, pairs_of
from flowcage.protocol.messages import MISSING, AgentRequest


def call(identifier: str, prompt: str = "p", label: str | None = None, **more: Any) -> RunCall:
    """An agent's call; `path` is in front of its id."""
    path, _, wire_id = identifier.rpartition("/")
    options = more.pop("options", MISSING)
    return RunCall(
        identifier, path, "agent", AgentRequest(wire_id, prompt, options), label, None, 0.0, **more
    )


HIDDEN = Withheld("a"), Withheld("b")
ONE, OTHER = {"": "w.js", "2/1": "kid.js"}, {"": "w.js", "3/1": "kid.js", "9/1": "other.js"}


@pytest.mark.parametrize(
    ("one", "other", "pairs"),
    [
        ([], [], []),
        ([call("1")], [], [("1", None)]),
        ([], [call("1")], [(None, "1")]),
        ([call("1")], [call("1")], [("1", "1")]),
        # what is the same is one pair, in whatever order it was asked
        ([call("1", "a"), call("2", "b")], [call("1", "b"), call("2", "a")], [("1", "2"), ("2", "1")]),
        # several of one content, in their order
        ([call("1"), call("2")], [call("1"), call("2"), call("3")], [("1", "1"), ("2", "2"), (None, "3")]),
        # what is left is paired by its label, and never with another one
        ([call("1", "a", "x")], [call("1", "z", "y"), call("2", "b", "x")], [("1", "2"), (None, "1")]),
        # an id helps where the label says nothing
        ([call("1", "a"), call("2", "b")], [call("1", "b"), call("2", "c")], [("1", "2"), ("2", "1")]),
        ([call("1", "a"), call("2", "b")], [call("2", "c"), call("1", "d")], [("1", "1"), ("2", "2")]),
        # a call of a child workflow is none of another one's, wherever it was started
        ([call("2/1/1", "a")], [call("3/1/1", "a")], [("2/1/1", "3/1/1")]),
        ([call("2/1/1", "a")], [call("9/1/1", "a")], [("2/1/1", None), (None, "9/1/1")]),
        # prompts that are not stored are the same by their digests
        ([call("1", HIDDEN[0])], [call("1", HIDDEN[1]), call("2", HIDDEN[0])], [("1", "2"), (None, "1")]),
    ],
)  # fmt: skip
def test_calls_come_in_pairs(
    one: list[RunCall], other: list[RunCall], pairs: list[tuple[str | None, str | None]]
) -> None:
    found = [
        (None if pair.one is None else pair.one.id, None if pair.other is None else pair.other.id)
        for pair in pairs_of(one, ONE, other, OTHER)
    ]
    assert found == pairs


DONE: dict[str, Any] = {"state": "answered", "value": "v"}


@pytest.mark.parametrize(
    ("other", "changes"),
    [
        (call("1", **DONE), []),
        (call("7", **DONE), []),
        (call("1", reused=True, **DONE), []),
        (call("1", "q", **DONE), ["prompt"]),
        (call("1", options={"model": "m"}, **DONE), ["options"]),
        (call("1", state="answered", value=["v"]), ["answer"]),
        (call("1", state="failed"), ["state", "answer"]),
        (call("1", model="m", **DONE), ["model"]),
    ],
)
def test_what_has_changed_in_a_pair_is_named(other: RunCall, changes: list[str]) -> None:
    (pair,) = pairs_of([call("1", **DONE)], ONE, [other], OTHER)
    told = _pair_json(pair)
    assert (told["is"], told["changes"]) == ("changed" if changes else "same", changes)
    assert ("answer" in told["one"]) == bool(changes)


def test_texts_that_are_told_are_cut() -> None:
    (pair,) = pairs_of([call("1", "a" * 1_000_000)], ONE, [call("1", "b" * 1_000_000)], OTHER)
    told = _pair_json(pair)
    assert (len(told["one"]["prompt"]), len(told["other"]["prompt"])) == (20_000, 20_000)
