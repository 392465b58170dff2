"""Requests that come in one piece: which replies go out at once, and which together."""

from __future__ import annotations

import json
from typing import Any

from flowcage.conformance.conversation import line

from .child_process import ChildProcess


def lines(*requests: tuple[str, dict[str, Any]]) -> bytes:
    """The requests, each with its method as its id."""
    return b"".join(line(method, params, method) for method, params in requests)


def ids(replies: list[bytes]) -> list[str]:
    return [json.loads(reply)["id"] for reply in replies]


def test_a_start_is_answered_before_the_drain_behind_it_runs(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=100)
    child.send(lines(("start", {"source": "for (;;);"}), ("drain", {})))
    assert ids(child.program.read_lines()) == ["start"]
    assert ids(child.program.read_lines()) == ["drain"]


def test_a_resolve_is_answered_together_with_the_drain_behind_it(child: ChildProcess) -> None:
    """A second write would wake the host, which waits for the drain, for nothing."""
    child.initialize()
    child.start("export default await agent('x')")
    child.drain()
    answer = {"id": "1", "resolution": {"type": "ok", "value": 1}}
    child.send(lines(("resolve", answer), ("drain", {})))
    assert ids(child.program.read_lines()) == ["resolve", "drain"]
