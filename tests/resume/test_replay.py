"""A history is carried out once more in fresh cages, and what differs is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from flowcage.host.durable.records import Ending, Entry, RunRecord
from flowcage.host.outcome.errors import WorkflowFailed
from flowcage.host.resume.replay import ReplayReport, replay
from flowcage.host.run.core.inputs import Answered, Said, State
from flowcage.host.run.options import RunOptions

from ..host.children import Launcher
from .kept_runs import kept

FAILS = "log(await agent('a')); const b = await agent('b'); throw new RangeError('no ' + b)"


def replayed(record: RunRecord, until: int | None = None) -> ReplayReport:
    launcher = Launcher()

    async def main() -> ReplayReport:
        return await replay(record, RunOptions(launcher=launcher), until=until)

    report = trio.run(main)
    launcher.assert_nothing_left()
    assert len(launcher.pids) == len(report.workflows)
    return report


def ends(report: ReplayReport) -> dict[str, str]:
    return {each.path: each.end for each in report.workflows}


def turns_of(record: RunRecord) -> int:
    said = [entry.input for entry in record.entries if isinstance(entry.input, Said)]
    return sum(each.state is not State.PARTIAL for each in said)


def test_a_run_that_has_completed_is_the_same_with_all_its_child_workflows(tmp_path: Path) -> None:
    record = kept(tmp_path)
    report = replayed(record)
    assert report.is_same, report.divergences
    kids = [path for path in record.workflows if path]
    assert len(kids) == 2
    assert ends(report) == dict.fromkeys(["", *kids], "complete")
    assert report.turns == turns_of(record)


def test_a_run_that_has_failed_fails_in_the_same_way(tmp_path: Path) -> None:
    report = replayed(kept(tmp_path, FAILS))
    assert report.is_same, report.divergences
    assert ends(report) == {"": "failed"}


def test_a_run_that_has_stalled_stalls_again(tmp_path: Path) -> None:
    source = "await agent('a'); await agent('b'); await new Promise(() => {}); export default 1"
    report = replayed(kept(tmp_path, source))
    assert report.is_same, report.divergences
    assert ends(report) == {"": "stalled"}


def test_a_workflow_that_does_not_compile_does_not_compile_again(tmp_path: Path) -> None:
    report = replayed(kept(tmp_path, "const = 1"))
    assert report.is_same, report.divergences
    assert (ends(report), report.turns) == ({"": "failed"}, 0)


@pytest.mark.parametrize("calls", [1, 5, 9, 14])
def test_a_run_that_was_interrupted_is_the_same_as_far_as_it_went(tmp_path: Path, calls: int) -> None:
    record = kept(tmp_path, calls=calls)
    report = replayed(record)
    assert report.is_same, report.divergences
    assert report.turns == turns_of(record)
    assert set(ends(report).values()) <= {"pending", "open", "complete"}


def test_more_requests_than_one_entry_holds_are_compared(tmp_path: Path) -> None:
    source = "await parallel(Array.from({length: 600}, (_, n) => () => agent('q' + n))); export default 1"
    report = replayed(kept(tmp_path, source, max_agents=50))
    assert report.is_same, report.divergences
    assert ends(report) == {"": "complete"}


def test_a_part_of_a_history_is_compared(tmp_path: Path) -> None:
    record = kept(tmp_path)
    report = replayed(_with_source(record, "'l'", "'other'"), until=3)
    assert report.is_same
    assert ends(report)[""] == "open"
    assert next(each.turns for each in report.workflows) == 4


def _with_source(record: RunRecord, was: str, becomes: str, path: str = "") -> RunRecord:
    workflow = record.workflows[path]
    assert was in workflow.source
    changed = workflow._replace(source=workflow.source.replace(was, becomes))
    return record._replace(workflows={**record.workflows, path: changed})


def _with_entry(record: RunRecord, change: Callable[[Entry], Entry | None]) -> RunRecord:
    """The record with the first entry changed that `change` has another one for."""
    entries = list(record.entries)
    for number, entry in enumerate(entries):
        if (changed := change(entry)) is not None:
            entries[number] = changed
            return record._replace(entries=entries)
    raise AssertionError("nothing was changed")


def _forged(entry: Entry) -> Entry | None:
    digests = entry.digests
    if digests is None or entry.seq < 12:
        return None
    return entry._replace(digests=digests._replace(asked="0" * 32))


def _with_result(record: RunRecord) -> RunRecord:
    assert record.ending is not None
    return record._replace(ending=record.ending._replace(result={"all": 1}))


def test_a_run_does_not_fail_that_had_failed(tmp_path: Path) -> None:
    record = _with_source(kept(tmp_path, FAILS), "throw", "return")
    (divergence,) = replayed(record).divergences
    assert divergence.turn == 2
    assert "it had failed, and now it does not" in divergence.difference


def test_a_run_fails_with_another_error(tmp_path: Path) -> None:
    record = _with_source(kept(tmp_path, FAILS), "no ", "yes ")
    (divergence,) = replayed(record).divergences
    assert divergence.difference.startswith("it fails in another way")


def test_what_differs_is_named(tmp_path: Path) -> None:
    record = kept(tmp_path)
    kid = next(path for path in record.workflows if path)
    table: list[tuple[RunRecord, str, str]] = [
        (_with_source(record, "'s' + i", "'t' + i"), "", "it asked for something else"),
        (_with_source(record, "agent('l'", "agent('m'"), "", "it asked for something else"),
        (_with_source(record, "await agent('l'", "1 || await agent('l'"), "", "asked for"),
        (_with_source(record, "const spent =", "throw Error('x'); const spent ="), "", "it failed"),
        (_with_source(record, "const spent =", "agent('more'); const spent ="), "", "asked for"),
        (_with_source(record, "order, spent", "order, spent: 0"), "", "its result is another one"),
        (_with_source(record, "' since '", "' from '", kid), kid, "it asked for something else"),
        (_with_source(record, "> 0", "< 0", kid), kid, "its result is another one"),
        (_with_entry(record, _forged), "", "it asked for something else"),
        (_with_result(record), "", "its result is not the one that is kept"),
        (
            record._replace(ending=Ending("failed", error={"kind": "exception", "message": "m"})),
            "",
            "had failed",
        ),
    ]
    for changed, path, difference in table:
        report = replayed(changed)
        assert not report.is_same, difference
        (divergence,) = report.divergences
        assert divergence.path == path, divergence
        assert difference in divergence.difference, divergence
        assert ends(report)[path] == "diverged"
        assert report.to_json()["same"] is False


def test_before_and_now_are_told(tmp_path: Path) -> None:
    record = _with_source(kept(tmp_path), "'s' + i", "'t' + i")
    (divergence,) = replayed(record).divergences
    (before,), (now,) = divergence.before, divergence.now
    assert before["prompt"].startswith("s0 after")
    assert now == {**before, "prompt": "t" + before["prompt"][1:]}


def test_an_answer_that_was_changed_leads_to_another_turn(tmp_path: Path) -> None:
    changed = _with_entry(kept(tmp_path, FAILS), lambda entry: _answer(entry, "2", "changed"))
    (divergence,) = replayed(changed).divergences
    assert "it fails in another way" in divergence.difference


def _answer(entry: Entry, request: str, value: str) -> Entry | None:
    given = entry.input
    if isinstance(given, Answered) and given.id == request:
        return entry._replace(input=given._replace(value=value))
    return None


def test_a_limit_of_the_machine_is_no_divergence(tmp_path: Path) -> None:
    record = _with_source(kept(tmp_path, FAILS), "throw", "for (;;); throw")
    root = record.workflows[""]
    limits = {**root.limits, "stepTimeoutMs": 50}
    record = record._replace(workflows={"": root._replace(limits=limits)})
    with pytest.raises(WorkflowFailed) as raised:
        replayed(record)
    assert raised.value.kind == "timeout"
