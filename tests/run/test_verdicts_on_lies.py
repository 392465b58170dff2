"""Whatever a child answers, its run ends with a verdict that holds, and never with a fault of the host's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Limits,
    ProtocolViolation,
    RunError,
    RunOptions,
    Verdict,
    run_workflow_blocking,
)
from flowcage.host.workflows.child_workflows import ChildWorkflows
from flowcage.protocol.errors import CODES, RUN_FAILURES

from ..host.children import Launcher

SCRIPTED = Path(__file__).parents[1] / "host" / "scripted_child.py"
# Long enough that no lie is taken for an honest timeout, however busy the machine is.
LIMITS = Limits(step_timeout_ms=60_000)
# Has the host ask for `meta` first.
SOURCE = "export const meta = { phases: [{ title: 'a', model: 'm' }] };\nexport default 1"


def agent(number: object = 1) -> dict[str, Any]:
    return {"type": "agent", "id": str(number), "prompt": "p"}


def sleep(number: int, milliseconds: int) -> dict[str, Any]:
    return {"type": "sleep", "id": str(number), "durationMs": milliseconds}


def drained(*requests: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"result": {"calls": [], "requests": requests, "state": "pending", **members}}


def error(kind: str, **data: Any) -> dict[str, Any]:
    failure = {"name": "Error", "message": "m", "stack": "", **data}
    return {"error": {"code": CODES[kind], "message": "told", "data": {"kind": kind, **failure}}}


async def answer(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(call.id)


def error_of(script: dict[str, list[dict[str, Any]]], limits: Limits = LIMITS) -> RunError:
    launcher = Launcher((sys.executable, "-I", str(SCRIPTED), json.dumps(script)))
    options = RunOptions(
        agent=answer,
        workflow=ChildWorkflows(Path(__file__).parent),
        launcher=launcher,
        limits=limits,
        isolation="best_effort",
        timeout_seconds=120,
    )
    with pytest.raises(RunError) as caught:
        run_workflow_blocking(SOURCE, options=options)
    launcher.assert_nothing_left()
    assert caught.value.verdict is caught.value.report.verdict is not Verdict.HOST_FAULT
    return caught.value


COMPLETE: dict[str, Any] = {"state": "complete", "output": {"result": 1}}
BOOM = error("exception")
LIES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "an internal error": ([error("internal")], "answered drain with internal"),
    "no such method": ([error("method_not_found")], "answered drain with method_not_found"),
    "not now": ([error("invalid_state", state="new")], "answered drain with invalid_state"),
    "no cage": ([error("isolation_unavailable", layers=["cpu"])], "drain with isolation_unavailable"),
    "another version": ([error("protocol_version", supported=["2.0"])], "drain with protocol_version"),
    "stalled with a request": ([drained(agent(), stalled=True)], "can never finish, while requests"),
    "stalled while it waits": (
        [drained(sleep(1, 1), sleep(2, 3_600_000)), drained(stalled=True)],
        "can never finish, while requests",
    ),
    "waiting for nothing": ([drained()], "nothing is outstanding"),
    "waiting for nothing, later": ([drained(agent()), drained()], "nothing is outstanding"),
    "more for ever": ([drained(more=True)], "has not failed after all"),
    "more, then a result": ([drained(more=True), drained(**COMPLETE)], "has not failed after all"),
    "more, then a request": ([drained(more=True), drained(agent())], "has not failed after all"),
    "more and complete": ([drained(more=True, **COMPLETE)], "in two states at once"),
    "more, then an internal error": ([drained(more=True), error("internal")], "drain with internal"),
    "an id twice at once": ([drained(agent(), agent())], "two requests the id '1'"),
    "an id twice while it waits": (
        [drained(sleep(1, 1), sleep(2, 3_600_000)), drained(agent(2))],
        "two requests the id '2'",
    ),
    "an id twice, settled": ([drained(agent()), drained(agent())], "two requests the id '1'"),
    "an id left out": ([drained(agent(2))], "where '1' is next"),
    "an id below zero": ([drained(agent(-1))], "the id '-1'"),
    "an id of megabytes": ([drained(agent("1" * 3_000))], "the id '1111"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_true_of_a_run_is_a_protocol_violation(lie: str) -> None:
    drains, told = LIES[lie]
    violation = error_of({"drain": drains})
    assert type(violation) is ProtocolViolation
    assert told in str(violation)
    assert len(str(violation)) < 500


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("method", ["check", "start", "drain", "resolve"])
def test_no_error_that_a_child_answers_with_is_a_fault_of_the_hosts(method: str, kind: str) -> None:
    more = {"layers": ["cpu"], "supported": ["1.0"], "path": "", "schema": "s", "id": "1", "state": "new"}
    script = {method: [error(kind, **more)], "drain": [drained(agent()), BOOM]}
    script.update({"drain": [error(kind, **more)]} if method == "drain" else {})
    verdict = error_of(script).verdict
    if (kind in RUN_FAILURES and method != "resolve") or (method, kind) == ("check", "method_not_found"):
        assert verdict in {Verdict.FAILED, Verdict.MEMORY_LIMIT, Verdict.OUTPUT_LIMIT}
    elif (method, kind) == ("resolve", "memory"):
        assert verdict is Verdict.MEMORY_LIMIT
    else:
        assert verdict is Verdict.PROTOCOL_VIOLATION


@pytest.mark.parametrize("kind", ["internal", "invalid_params", "protocol_version", "isolation_unavailable"])
def test_a_refusal_before_any_source_is_a_run_that_was_not_started(kind: str) -> None:
    more = {"layers": ["cpu"], "supported": ["2.0"], "path": "", "schema": "s"}
    refused = error_of({"initialize": [error(kind, **more)]})
    assert refused.verdict is Verdict.NOT_STARTED
    assert "told" in str(refused)


def test_a_child_that_waits_and_claims_to_have_worked_has_failed() -> None:
    limits = Limits(step_timeout_ms=500)
    claimed = error_of({"drain": [{**error("timeout"), "seconds": 0.7}]}, limits)
    assert claimed.verdict is Verdict.FAILED


@pytest.mark.parametrize("more", [{"calls": [{"type": "log", "values": [1]}]}, {"requests": [agent()]}])
def test_a_step_that_was_too_long_is_one_though_it_said_something_first(more: dict[str, Any]) -> None:
    limits = Limits(step_timeout_ms=300)
    spun = {**drained(more=True, **more), "spin": 0.4}
    assert error_of({"drain": [spun, error("timeout")]}, limits).verdict is Verdict.STEP_TIMEOUT
