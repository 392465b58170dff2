"""What a run waits for, with the lines that made the calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.records import RunRecord
from flowcage.host.resume.stack import OpenCall, stack
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.diverged import ReplayDiverged

from ..contract.test_compatibility import OLDER_CHILD
from ..host.children import Launcher
from .kept_runs import kept

SOURCE = """await agent('first');
const ask = (n) => agent('question ' + n, {label: 'q' + n});
await Promise.all([
  ask(1),
  workflow('kid', {name: 'k'}),
  SW.extra.sleep(100000),
]);"""


def waiting(path: Path) -> RunRecord:
    """A run with calls that are open. It has no ceiling: with one, calls may wait for those at work."""
    return kept(path, SOURCE, calls=4, unanswered=("q", "k"), budget_tokens=None)


def calls_of(record: RunRecord, launcher: Launcher | None = None, **more: Any) -> list[OpenCall]:
    launcher = launcher or Launcher()

    async def main() -> list[OpenCall]:
        return await stack(record, RunOptions(launcher=launcher, **more))

    calls = trio.run(main)
    if launcher.pids:
        launcher.assert_nothing_left()
    return calls


def test_open_calls_have_the_line_that_made_them(tmp_path: Path) -> None:
    record = waiting(tmp_path)
    calls = calls_of(record)
    told = [(each.id, each.kind, each.label or each.about, each.stage, each.line) for each in calls]
    assert told == [
        ("2", "agent", "q1", "asked", 2),
        ("3", "workflow", "kid", "asked", 5),
        ("3/1", "agent", "k1", "asked", 2),
        ("3/2", "agent", "k2", "asked", 2),
        ("3/3", "agent", "k3", "queued", 2),
        ("4", "sleep", "", "waiting", 6),
    ]
    assert [each.source_name for each in calls] == ["w.js", "w.js", "kid.js", "kid.js", "kid.js", "w.js"]
    assert all(record.summary.created_at <= each.since <= record.summary.updated_at for each in calls)
    assert all(each.column for each in calls)
    assert calls[0].to_json()["sourceName"] == "w.js"


def test_a_run_that_has_ended_by_itself_waits_for_nothing(tmp_path: Path) -> None:
    assert calls_of(kept(tmp_path, "agent('left'); export default await agent('a')")) == []


def test_an_older_child_does_not_know_the_places(tmp_path: Path) -> None:
    calls = calls_of(waiting(tmp_path), Launcher(OLDER_CHILD), isolation="none")
    assert len(calls) == 6
    assert {each.line for each in calls} == {None}


def test_a_workflow_that_does_something_else_has_no_stack(tmp_path: Path) -> None:
    record = waiting(tmp_path)
    root = record.workflows[""]
    changed = root._replace(source=root.source.replace("first", "second"))
    with pytest.raises(ReplayDiverged):
        calls_of(record._replace(workflows={**record.workflows, "": changed}))
