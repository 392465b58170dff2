"""A run that has completed while its store takes nothing tells its result, and that no store has it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from flowcage import AgentAnswer, AgentCall, RunOptions
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.durable.store import Store
from flowcage.host.durable.ticket import Ticket, settle
from flowcage.host.outcome.report import Outcome
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.resume import giving_back
from flowcage.host.resume.new.begin import begin

from ..durable.flaky import Flaky

SOURCE = "export default await agent('a')"
FAILS = 10**9


async def carried_out(store: SqliteStore, and_then: Any) -> Outcome:
    async def agent(_call: AgentCall) -> AgentAnswer:
        and_then()
        return AgentAnswer("paid")

    given = RunOptions(agent=agent, timeout_seconds=120)
    kept = await begin(store, "r", SOURCE, "w.js", {}, given)
    return await kept.execute(kept.run(given))


def test_a_result_does_not_wait_for_a_disk_that_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving_back, "LAST_COMMIT_SECONDS", 0.2)
    flaky = Flaky()

    async def main() -> tuple[Outcome, str | None]:
        store = SqliteStore.open(tmp_path / "runs.db", connect=flaky.connect, durability="relaxed")
        try:
            outcome = await carried_out(store, partial(flaky.before.update, {"COMMIT": FAILS}))
            assert (await store.get("r")).state == "running"
            flaky.before.clear()
        finally:
            await store.aclose()
        store = SqliteStore.open(tmp_path / "runs.db", read_only=True)
        try:
            return outcome, (await store.get("r")).verdict
        finally:
            await store.aclose()

    outcome, verdict = trio.run(main)
    assert outcome.result == "paid"
    [note] = outcome.report.diagnostics
    assert note["kind"] == "end_not_kept"
    assert "nothing can be written to it: disk I/O error; " in str(note["message"])
    assert verdict == "completed"  # the disk took it again before the host ended


@pytest.mark.parametrize(
    ("verdict", "settled_at", "trouble_at", "told"),
    [
        (Verdict.COMPLETED, 35.0, None, (True, 35.0)),  # the disk is slow
        (Verdict.COMPLETED, 35.0, 15.0, (False, 20.0)),
        (Verdict.COMPLETED, 3.0, 1.0, (True, 3.0)),
        (Verdict.CANCELLED, 35.0, None, (False, 10.0)),
    ],
)
def test_how_long_an_end_is_waited_for(
    verdict: Verdict, settled_at: float, trouble_at: float | None, told: tuple[bool, float]
) -> None:
    class _Store:
        trouble: str | None = None

    async def main() -> tuple[bool, float]:
        store, ticket = _Store(), Ticket[None]()

        async def later() -> None:
            if trouble_at is not None:
                await trio.sleep(trouble_at)
                store.trouble = "full"
            await trio.sleep_until(began + settled_at)
            settle([(ticket, None, None)])

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(later)
            is_kept = await giving_back.last_word(cast(Store, store), ticket, verdict)
            nursery.cancel_scope.cancel()
        return is_kept, round(trio.current_time() - began, 6)

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == told
