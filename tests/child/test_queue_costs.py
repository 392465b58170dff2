"""What a queued call costs: its text, and a little for being one more."""

from __future__ import annotations

import pytest

from flowcage.protocol.limits import QUEUED_ITEM_BYTES

from .child_process import ChildProcess


@pytest.mark.parametrize("call", ["log()", "phase('')", "agent('')"])
def test_a_flood_of_tiny_calls_ends_at_the_limit_for_their_number(child: ChildProcess, call: str) -> None:
    child.initialize(maxQueuedBytes=100_000, maxPendingRequests=10_000)
    child.start(f"for (;;) {call}")
    drained = child.drain()
    number = len(drained["calls"]) + len(drained["requests"])
    assert 0 < number <= 100_000 / QUEUED_ITEM_BYTES
    assert child.failure().kind == "limit"


def test_what_was_handed_out_counts_no_more(child: ChildProcess) -> None:
    child.initialize(maxQueuedBytes=1000)
    child.start("for (let i = 0; i < 50; i++) { log(i); await agent(''); } export default 'done'")
    for number in range(50):
        assert len(child.drain()["calls"]) == 1
        child.resolve(str(number + 1), None)
    assert child.drain()["output"] == {"result": "done"}
