"""Errors survive being copied and pickled whole, and tell whether a run raised them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import trio

import flowcage.errors
from flowcage import RunOptions, check_workflow, run_workflow_blocking
from flowcage.errors import (
    AgentError,
    AgentLimitReached,
    AgentSpecError,
    AgentsUnavailable,
    AlreadyThere,
    AmbiguousRun,
    AnswerDoesNotFit,
    BudgetExhausted,
    CancelRequested,
    CannotSend,
    ChildDied,
    ChildSilent,
    CostExhausted,
    CpuExceeded,
    DamagedEntry,
    DamagedStore,
    Fenced,
    FlowcageError,
    HandlerFailed,
    HostClosing,
    ImportRefused,
    IsolationUnavailable,
    LaunchFailed,
    Locked,
    MemoryExceeded,
    NotForkable,
    NotResumable,
    OptionNotHonoured,
    OutputExceeded,
    Overloaded,
    ProtocolViolation,
    QuestionNotOpen,
    Quota,
    ReplayDiverged,
    RequestNotWaiting,
    RequestRejected,
    RunCancelled,
    RunError,
    RunExpired,
    RunHalted,
    RunHasEnded,
    RunIsOpen,
    RunIsReused,
    RunRefused,
    RunTimedOut,
    ShareTooSmall,
    SourceFileError,
    StoreError,
    StoreFailed,
    TooLarge,
    UnknownRun,
    Unstorable,
    Verdict,
    WorkflowFailed,
    WorkflowStalled,
    WrongAnswer,
    WrongEventLoop,
    WrongKeys,
    WrongStore,
)
from flowcage.protocol.sources.findings import Import

# With arguments from which the message is made, where a class has such.
ERRORS: list[Exception] = [
    AgentError("no answer"),
    AgentLimitReached("it went on"),
    AgentSpecError("no such agent"),
    BudgetExhausted("it went on"),
    CancelRequested("too dear"),
    CostExhausted("it went on"),
    RunHalted("no credit"),
    CannotSend("too long"),
    ChildDied("SIGSYS", None, "the last words"),
    ChildDied(None, 3, ""),
    ChildSilent("silent"),
    CpuExceeded("cpu"),
    FlowcageError("any"),
    HandlerFailed("failed"),
    HostClosing(),
    ImportRefused("a.js", Import("./b.mjs", 1, 20), "no such file"),
    ImportRefused("a.js", Import("./b.mjs"), "no such file"),
    IsolationUnavailable("no layer"),
    LaunchFailed("no process"),
    MemoryExceeded("memory"),
    OutputExceeded("output"),
    Overloaded("acme", Quota.MEMORY, "no memory", 1.5),
    ProtocolViolation("said nonsense"),
    RequestNotWaiting("7"),
    RequestRejected("no"),
    RunCancelled(),
    RunCancelled("for a reason"),
    RunError("any", "two"),
    RunRefused("too old"),
    RunRefused("too old", "unsupported_version", {"supported": ["2.0"]}),
    RunTimedOut(0.25),
    RunExpired("2026-11-28T00:00:00.000+00:00"),
    WorkflowFailed("syntax", "no", {"line": 1, "column": 2, "sourceName": "a.js"}),
    WorkflowStalled("stalled"),
    WrongAnswer("wrong", "text", 3),
    OptionNotHonoured("no"),
    SourceFileError("no text"),
    ShareTooSmall("no", needs_usd=0.5, needs_tokens=7),
    AgentsUnavailable("no credit", cost_usd=0.5, model="m"),
    WrongEventLoop("no trio"),
    AlreadyThere("it is there"),
    AmbiguousRun("a", ["ab", "ac"]),
    DamagedEntry("r", 3, "is missing"),
    DamagedStore("cut off"),
    Fenced("r", 2),
    AnswerDoesNotFit("7", "it is no number"),
    NotForkable("the run has no call 9"),
    NotResumable("it goes on"),
    QuestionNotOpen("7", "it is answered already"),
    ReplayDiverged("3/1", 7, "it asked for 4"),
    RunHasEnded("r", "failed"),
    RunIsOpen("r", "running"),
    RunIsReused("r", ["s", "t"]),
    StoreError("any"),
    StoreFailed("full"),
    TooLarge("run r", "run_bytes", 1000),
    UnknownRun("r"),
    Unstorable("no JSON"),
    Locked("2026-11", ["2026-05"]),
    WrongKeys("no key"),
    WrongStore("another program's"),
]


def pickled(protocol: int) -> Callable[[Any], Any]:
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


WAYS: dict[str, Callable[[Any], Any]] = {"copy": copy.copy, "deepcopy": copy.deepcopy} | {
    f"pickle {protocol}": pickled(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
}
EACH_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def same(one: BaseException, other: BaseException) -> bool:
    return (type(one), str(one), one.args, one.__dict__) == (
        type(other),
        str(other),
        other.args,
        other.__dict__,
    )


def test_the_table_has_every_public_error() -> None:
    public = {getattr(flowcage.errors, name) for name in vars(flowcage.errors)["__all__"]}
    assert {type(error) for error in ERRORS} == public - {Verdict, Quota}


@EACH_WAY
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_afterwards(way: Callable[[Any], Any], error: Exception) -> None:
    noted = copy.copy(error)
    noted.add_note("beside a run of Tuesday")
    again = way(noted)
    assert again is not noted
    assert same(again, noted)


@EACH_WAY
def test_what_a_run_raised_keeps_its_report_and_verdict(way: Callable[[Any], Any]) -> None:
    with pytest.raises(WorkflowFailed) as caught:
        run_workflow_blocking("phase('P'); log({a: [1]}); throw new TypeError('t')\nreturn 1")
    again = way(caught.value)
    assert same(again, caught.value)
    assert (again.report, again.verdict, again.stack) == (
        caught.value.report,
        Verdict.FAILED,
        caught.value.stack,
    )
    assert again.report.logs == (({"a": [1]},),)


def test_what_a_run_gave_is_the_same_afterwards() -> None:
    outcome = run_workflow_blocking("export default 1", options=RunOptions())
    assert pickle.loads(pickle.dumps(outcome)) == outcome


@pytest.mark.parametrize("way", [lambda error: error, copy.copy])
def test_an_error_that_no_run_raised_says_that_it_has_no_report(way: Callable[[Any], Any]) -> None:
    error = way(ChildSilent("silent"))
    assert not hasattr(error, "report")
    with pytest.raises(AttributeError, match="this ChildSilent has no report: no run has raised it"):
        error.report  # noqa: B018


def test_an_error_of_check_workflow_has_no_report() -> None:
    with pytest.raises(WorkflowFailed) as caught:
        trio.run(check_workflow, "export default (")
    assert caught.value.kind == "syntax"
    assert not hasattr(caught.value, "report")
