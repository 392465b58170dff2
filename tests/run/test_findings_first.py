"""What is found in a source is told before anybody is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowcage.host import AgentAnswer, AgentCall, RunOptions, run_workflow_blocking
from flowcage.host.events.records import AgentQueued, AgentStarted, Diagnosed, Event, RunStarted
from flowcage.host.workflows.child_workflows import ChildWorkflows

from ..e2e.command import flowcage

SOURCE = "const x = await agent('first', {lable: 'x'});\nif (x === '') Date.now();\nreturn x;"


async def answer(_call: AgentCall) -> AgentAnswer:
    return AgentAnswer("answer")


def heard(source: str, **options: object) -> list[Event]:
    events: list[Event] = []
    given = RunOptions(agent=answer, listener=events.append, **options)  # type: ignore[arg-type]
    run_workflow_blocking(source, source_name="w.js", options=given)
    return events


def test_a_listener_hears_of_findings_behind_the_start_and_before_the_first_call() -> None:
    events = heard(SOURCE, findings=True)
    assert [type(each) for each in events[:5]] == [
        RunStarted,
        Diagnosed,
        Diagnosed,
        AgentQueued,
        AgentStarted,
    ]
    assert [each.seq for each in events] == list(range(1, len(events) + 1))
    told = events[2].to_json()
    assert (told["type"], told["diagnostic"]["kind"]) == ("diagnostic", "absent_global")
    assert told["diagnostic"]["message"].startswith("w.js:2:15: ")


def test_nothing_is_told_where_findings_are_not_wanted() -> None:
    assert not [each for each in heard(SOURCE) if isinstance(each, Diagnosed)]


def test_a_child_workflow_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "kid.js").write_text(SOURCE)
    events = heard("return workflow('kid')", findings=True, workflow=ChildWorkflows(tmp_path))
    found = [each for each in events if isinstance(each, Diagnosed)]
    assert len(found) == 2
    assert {each.run_id for each in found} == {events[-2].child_run_id}  # type: ignore[attr-defined]
    assert {str(each.diagnostic["message"])[:7] for each in found} == {"kid.js:"}


@pytest.mark.parametrize("options", [(), ("--quiet",), ("--no-store",)])
def test_the_command_tells_each_finding_once_and_first(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.js").write_text(SOURCE)
    done = flowcage("run", "sub/w.js", *options, cwd=tmp_path)
    lines = done.stderr.splitlines()
    assert lines[0].startswith("flowcage: warning: sub/w.js:1:33: agent() has no option lable")
    assert lines[1].startswith("flowcage: warning: sub/w.js:2:15: a workflow has no Date")
    assert done.stderr.count("a workflow has no Date") == 1
    assert [each["kind"] for each in done.json["diagnostics"]][:2] == ["unknown_option", "absent_global"]


def test_findings_are_records_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text(SOURCE)
    done = flowcage("run", "w.js", "--log-format", "json", "--no-store", cwd=tmp_path)
    types = [json.loads(line)["type"] for line in done.stderr.splitlines()]
    assert types.index("diagnostic") < types.index("agent_queued")


def test_an_edited_script_tells_them_too(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("return await agent('first')")
    store = ("--store", "runs.db")
    flowcage("run", "w.js", *store, cwd=tmp_path)
    (tmp_path / "w.js").write_text(SOURCE)
    lines = flowcage("resume", "@last", "w.js", *store, cwd=tmp_path).stderr.splitlines()
    assert "agent() has no option lable" in lines[0]
    assert any("-> agent 1" in line or "agent 1" in line for line in lines[1:])
