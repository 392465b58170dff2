"""Ends of child workflows that are none of theirs: a handler that answers any error never sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, RequestRejected, RunError, RunOptions
from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.errors import LaunchFailed
from flowcage.host.resume.kept import KeptRun, take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.run.core.inputs import Refused
from flowcage.host.run.options import Caller
from flowcage.host.run.past.diverged import ReplayDiverged
from flowcage.host.run.run import WorkflowRun
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.children import Launcher
from .kept_runs import record_of

SOURCE = "export default [await workflow('kid').catch((error) => error.message), await agent('last')];"
KID = "export default [await agent('a'), await agent('b')];"
RESULT = [["<a>", "<b>"], "<last>"]


async def kid(caller: Caller, _request: WorkflowRequest) -> Json:
    try:
        return await caller.run_child(KID, "kid.js", {})
    except RunError as error:
        raise RequestRejected(f"the child workflow failed: {error}") from error


class Lives:
    """Of one run, the first of which ends when its child workflow asks `b`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "runs.db"
        self.launcher = Launcher()
        self.asked: list[str] = []
        self.scope = trio.CancelScope()
        self.change: Any = lambda _kept: None

    async def agent(self, call: AgentCall) -> AgentAnswer:
        self.asked.append(call.prompt)
        if self.asked == ["a", "b"]:
            self.scope.cancel()
            await trio.sleep_forever()
        return AgentAnswer(f"<{call.prompt}>")

    def life(self, *, is_first: bool = False) -> Json:
        async def main() -> Json:
            store = SqliteStore.open(self.path, durability="relaxed")
            try:
                with self.scope:
                    given = RunOptions(
                        agent=self.agent, workflow=kid, launcher=self.launcher, timeout_seconds=120
                    )
                    if is_first:
                        kept = await begin(store, "r", SOURCE, "w.js", {}, given)
                    else:
                        kept = await take_up(store, "r")
                    self.change(kept)
                    return (await kept.execute(kept.run(given))).result
                return None
            finally:
                await store.aclose()

        self.scope = trio.CancelScope()
        return trio.run(main)

    def record(self) -> RunRecord:
        return record_of(self.path, "r")


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    found = Lives(tmp_path)
    assert found.life(is_first=True) is None
    return found


def refusals(record: RunRecord) -> list[Refused]:
    return [each.input for each in record.entries if isinstance(each.input, Refused)]


def test_a_child_workflow_that_diverges_has_its_run_diverge(lives: Lives) -> None:
    def change(kept: KeptRun) -> None:
        assert kept._past is not None
        past = kept._past.workflows["1"]
        assert past.begun is not None
        past.begun = past.begun._replace(source=KID.replace("'a'", "'other'"))

    lives.change = change
    with pytest.raises(ReplayDiverged, match="its child workflow 1 did not do the same") as raised:
        lives.life()
    record = lives.record()
    assert (record.summary.state, record.summary.verdict) == ("diverged", "diverged")
    assert raised.value.report.run_id == "r"
    assert refusals(record) == []
    assert lives.asked == ["a", "b"]
    lives.launcher.assert_nothing_left()


def test_a_child_workflow_that_cannot_be_brought_back_is_tried_by_the_next_life(lives: Lives) -> None:
    launch, count = lives.launcher.launch, 0

    async def once() -> Any:
        nonlocal count
        count += 1
        if count == 2:
            raise LaunchFailed("no processes")
        return await launch()

    lives.launcher.launch = once  # type: ignore[method-assign]
    with pytest.raises(LaunchFailed):
        lives.life()
    assert lives.record().summary.verdict == "not_started"
    assert refusals(lives.record()) == []
    assert lives.life() == RESULT
    assert lives.asked == ["a", "b", "b", "last"]
    lives.launcher.assert_nothing_left()


def test_a_child_workflow_of_this_life_that_cannot_be_started_is_its_handlers_affair(tmp_path: Path) -> None:
    lives = Lives(tmp_path)
    launch, count = lives.launcher.launch, 0

    async def once() -> Any:
        nonlocal count
        count += 1
        if count == 2:
            raise LaunchFailed("no processes")
        return await launch()

    lives.launcher.launch = once  # type: ignore[method-assign]
    assert lives.life(is_first=True) == ["the child workflow failed: no processes", "<last>"]


def test_a_journal_that_fails_below_ends_the_run(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = WorkflowRun.execute

    async def fails(run: WorkflowRun, *given: Any) -> Any:
        if run.path:
            raise StoreFailed("the disk is gone")
        return await execute(run, *given)

    monkeypatch.setattr(WorkflowRun, "execute", fails)
    with pytest.raises(StoreFailed):
        lives.life()
    monkeypatch.undo()
    assert refusals(lives.record()) == []
    assert lives.life() == RESULT
