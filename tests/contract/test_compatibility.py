"""Old hosts with the child of today, hosts of tomorrow with it, and the host of today with a later child."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Outcome,
    ProtocolViolation,
    RunOptions,
    WorkflowFailed,
    run_workflow_blocking,
)
from flowcage.host.outcome.errors import RunRefused
from flowcage.host.process.launch import switches

from ..child.child_process import ChildProcess
from ..e2e.command import flowcage
from ..host.children import Launcher
from .matching import ANYTHING, difference

GOLDEN = Path(__file__).parents[1] / "golden"
# Recorded with an early child: without `check`, `more` and what else was added to 1.0 since.
OLD = sorted((GOLDEN / "old-client-1.0").glob("*.jsonl"))
# Texts for people, and builds: the contract promises none of them.
FOR_PEOPLE = {"message", "stack", "detail", "version"}
LATER = Path(__file__).with_name("newer_child.py")
OLDER_CHILD = (
    "env",
    f"PYTHONPATH={Path(__file__).parents[2]}",
    sys.executable,
    "-m",
    "tests.contract.older_child",
)
WORKFLOW = "log('one'); phase('two'); return [await agent('p', { label: 'l' }), args.n];"


def entries(path: Path) -> list[tuple[str, bytes]]:
    """Who said what, as bytes."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(entry["from"], entry["line"].encode("utf-8", "surrogateescape")) for entry in found]


def as_known(value: Any, parent: str = "") -> Any:
    """A recorded answer as its client relies on it: members it knows, and no more is said of texts."""
    if isinstance(value, list):
        return [as_known(item) for item in value]
    if not isinstance(value, dict):
        return value
    known = {
        name: ANYTHING
        if isinstance(inner, str) and (name in FOR_PEOPLE or (parent, name) == ("data", "state"))
        else as_known(inner, name)
        for name, inner in value.items()
    }
    return known | {ANYTHING: ANYTHING}


@pytest.mark.parametrize("path", OLD, ids=lambda path: str(path.stem))
def test_an_old_client_hears_all_that_it_knows(path: Path) -> None:
    with ChildProcess() as child:
        for speaker, line in entries(path):
            if speaker == "host":
                child.send(line + b"\n")
                continue
            answer = json.loads(child.next_line())
            problem = difference(as_known(json.loads(line)), answer)
            assert problem is None, f"{problem}\nrecorded: {line.decode()}\nnow: {json.dumps(answer)}"
        child.expect_exit()


def test_there_are_old_clients_that_poll_drain_fail_and_err() -> None:
    said = b"".join(line for path in OLD for speaker, line in entries(path) if speaker == "host")
    for method in ("initialize", "start", "poll", "take", "drain", "resolve", "shutdown"):
        assert f'"method":"{method}"'.encode() in said
    assert b'"method":"check"' not in said
    assert not any(b'"more"' in line for path in OLD for _, line in entries(path))


def test_the_child_of_today_says_more_than_old_clients_know() -> None:
    recorded, today = (dict(entries_by_id(folder / "failure.jsonl")) for folder in (OLD[0].parent, GOLDEN))
    assert difference(recorded[3], today[3]) == "/result: also ['more']"
    assert len(today[1]["result"]["isolation"]) > len(recorded[1]["result"]["isolation"])


def entries_by_id(path: Path) -> Iterator[tuple[int, Any]]:
    """The child's answers, by their ids."""
    for speaker, line in entries(path):
        if speaker == "child":
            message = json.loads(line)
            yield message["id"], message


# ---- a later host ----------------------------------------------------------------------------


def with_members(line: bytes) -> bytes:
    """A host's line with members of a later version in every object that the contract describes."""
    more = {"x-later": [None], "": {}}
    message: dict[str, Any] = json.loads(line)
    params = message.get("params", {})
    for part in (
        params,
        params.get("resolution"),
        params.get("client"),
        params.get("limits"),
        params.get("budget"),
    ):
        if isinstance(part, dict):
            part.update(more)
    message["params"] = params | more
    return json.dumps(message | more).encode()


@pytest.mark.parametrize("name", ["module-polled", "module", "script", "failure", "limit"])
def test_members_of_a_later_host_change_nothing(name: str) -> None:
    with ChildProcess() as child:
        for speaker, line in entries(GOLDEN / f"{name}.jsonl"):
            if speaker == "host":
                child.send(with_members(line) + b"\n")
                continue
            expected = json.loads(line.replace(b"<version>", ANYTHING.encode()))
            assert difference(expected, json.loads(child.next_line())) is None
        child.expect_exit()


# ---- a later child ---------------------------------------------------------------------------


async def answer(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(call.prompt.upper())


def outcome_with(addition: str, source: str = WORKFLOW) -> Outcome:
    """Run a workflow in a child of a later version; nothing of it may be left."""
    launcher = Launcher((sys.executable, "-I", str(LATER), addition))
    options = RunOptions(agent=answer, launcher=launcher, isolation="none", timeout_seconds=300)
    try:
        return run_workflow_blocking(source, args={"n": 1}, options=options)
    finally:
        launcher.assert_nothing_left()


@pytest.mark.parametrize("addition", ["nothing", "members", "layer", "limit", "diagnostic"])
def test_what_a_later_child_may_add_is_no_trouble(addition: str) -> None:
    assert outcome_with(addition).result == ["P", 1]


def test_layers_and_diagnostics_that_nobody_here_knows_are_surfaced() -> None:
    assert outcome_with("layer").report.isolation["firmware"].detail == "later"
    (note,) = outcome_with("diagnostic").report.diagnostics
    assert (note["kind"], note["where"]) == ("later", [1, 2])


def test_members_that_a_later_child_adds_to_a_failure_leave_it_a_failure() -> None:
    with pytest.raises(WorkflowFailed, match="boom"):
        outcome_with("members", "throw new Error('boom')")


# What brings back what the workflow has done at once.
FIRST = ("run" if switches.JOINED_MESSAGES else "drain") + " is not in the contract"


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        (
            "call",
            f"{FIRST}: /calls/0/type: must be one of 'log', 'phase', not 'chart'",
        ),
        (
            "state",
            f"{FIRST}: /state: must be one of 'pending', 'complete', not 'paused'",
        ),
        ("kind", f"{FIRST}: /data/kind: must be one of 'parse_error'"),
        ("kind", ", not 'quota'"),
    ],
)
def test_a_type_that_nobody_here_knows_ends_the_run_and_is_named(addition: str, told: str) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        outcome_with(addition)
    assert told in str(caught.value)


def test_a_request_that_nobody_here_knows_is_rejected_and_named() -> None:
    with pytest.raises(WorkflowFailed, match="does not know requests of type 'fetch'") as caught:
        outcome_with("request")
    assert [note["kind"] for note in caught.value.report.diagnostics] == ["unknown_request_type"]


# ---- an older child --------------------------------------------------------------------------


@contextmanager
def older_child() -> Iterator[ChildProcess]:
    """The child of today without what was added since, and without a word of it."""
    with ChildProcess(OLDER_CHILD) as child:
        assert child.initialize().keys() & {"methods"} == set()
        yield child


def test_an_older_child_has_no_run_and_no_advance_and_is_driven_without() -> None:
    with older_child() as child:
        child.refused("method_not_found", "run", source="return 1")
        child.refused("method_not_found", "advance", turns=[])
        child.start(WORKFLOW, args={"n": 1})
        child.drain()
        child.resolve("1", "A")
        assert child.result() == ["A", 1]


def test_the_host_of_today_drives_an_older_child() -> None:
    launcher = Launcher(OLDER_CHILD)
    options = RunOptions(agent=answer, launcher=launcher, isolation="none", timeout_seconds=300)
    outcome = run_workflow_blocking(WORKFLOW, args={"n": 1}, options=options)
    launcher.assert_nothing_left()
    assert outcome.result == ["P", 1]
    with pytest.raises(WorkflowFailed, match="boom"):
        run_workflow_blocking("log('before'); throw new Error('boom')", options=options)
    with pytest.raises(WorkflowFailed, match="unexpected token"):
        run_workflow_blocking("return 1 +;", options=options)
    with pytest.raises(RunRefused, match=r"imports 'a.mjs', and the child \(.*\) takes no modules"):
        run_workflow_blocking("import './a.mjs';", options=replace(options, modules={"a.mjs": ""}))
    launcher.assert_nothing_left()


def test_the_kit_leaves_out_what_an_older_child_does_not_name(tmp_path: Path) -> None:
    child = shlex.join(OLDER_CHILD)
    finished = flowcage(
        "conformance", "--child", child, "--only", "*/before*", "--junit", tmp_path / "junit.xml"
    )
    assert (finished.status, finished.stdout.splitlines()) == (
        0,
        [
            "-     run/before-initialize: left out: its answer to initialize does not name run",
            "-     advance/before-start: left out: its answer to initialize does not name advance",
            "-     replay/before-start: left out: its answer to initialize does not name replay",
            "-     sites/before-start: left out: its answer to initialize does not name sites",
            "4 checks, 0 passed, 4 left out, 0 failed",
        ],
    )
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("failures"), suite.get("skipped"), len(list(suite.iter("skipped")))) == ("0", "4", 4)
