"""Compares what came of a case with what it expects."""

from __future__ import annotations

import json
from typing import Any

from .cases_player import Player


def assert_told(expect: dict[str, Any], outcome: dict[str, Any], heard: list[Any], player: Player) -> None:
    """Hold the end of a run, its events and what its handlers were asked to the case's ``expect``."""
    if "refused" in expect:
        assert expect["refused"] in outcome.get("refused", "")
        return
    # First what explains most.
    assert outcome.get("verdict") == expect["verdict"], outcome
    _assert_members("error", expect, outcome)
    for name in ("census", "usage"):
        _assert_members(name, expect, outcome)
    seen = {
        "result": outcome.get("result"),
        "phases": [phase["title"] for phase in outcome["phases"]],
        "diagnostics": [note["kind"] for note in outcome["diagnostics"]],
        "asked": player.asked,
        "cancelled": player.cancelled,
        "mostAtWork": player.most_at_work,
    }
    wanted = {name: expect[name] for name in seen if name in expect}
    _assert_equal({name: seen[name] for name in wanted}, wanted)
    assert expect.get("problem", "") in player.problem
    _assert_events(expect.get("events", []), heard)


def _assert_members(name: str, expect: dict[str, Any], outcome: dict[str, Any]) -> None:
    wanted = expect.get(name, {})
    told = outcome.get(name) or {}
    _assert_equal({member: told.get(member) for member in wanted}, wanted)


def _assert_events(wanted: list[dict[str, Any]], heard: list[dict[str, Any]]) -> None:
    types = {event["type"] for event in wanted}
    # As it crosses: tuples are lists.
    told = json.loads(json.dumps([event for event in heard if event["type"] in types]))
    _assert_equal([event["type"] for event in told], [event["type"] for event in wanted])
    for event, each in zip(told, wanted, strict=True):
        _assert_equal({name: event.get(name) for name in each}, each)


def _assert_equal(told: Any, wanted: Any) -> None:
    assert _is_equal(told, wanted), f"\n{told}\n is not\n{wanted}"


def _is_equal(told: Any, wanted: Any) -> bool:
    """As JSON has it: to Python True is 1."""
    if isinstance(told, bool) or isinstance(wanted, bool):
        return told is wanted
    if isinstance(told, dict) and isinstance(wanted, dict):
        return told.keys() == wanted.keys() and all(_is_equal(told[name], wanted[name]) for name in wanted)
    if isinstance(told, list) and isinstance(wanted, list):
        return len(told) == len(wanted) and all(map(_is_equal, told, wanted))
    return bool(told == wanted)
