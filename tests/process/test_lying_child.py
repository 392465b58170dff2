"""A child that lies in well-formed messages harms its own run and nothing else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    ChildDied,
    Limits,
    ProtocolViolation,
    RunError,
    RunOptions,
    run_workflow_blocking,
)
from flowcage.host.run.core.kept import MAX_KEPT_BYTES
from flowcage.protocol.messages import Isolation

from ..host.children import Launcher

LIAR = Path(__file__).parents[1] / "host" / "lying_child.py"


async def answer(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(call.id)


def options(launcher: Launcher, isolation: Isolation = "best_effort") -> RunOptions:
    limits = Limits(max_pending_requests=20)
    return RunOptions(
        agent=answer, launcher=launcher, limits=limits, timeout_seconds=300, isolation=isolation
    )


def liar(lie: str) -> Launcher:
    return Launcher((sys.executable, "-I", str(LIAR), lie))


def error_of(lie: str, isolation: Isolation = "best_effort") -> RunError:
    launcher = liar(lie)
    with pytest.raises(RunError) as caught:
        run_workflow_blocking("export default 1", options=options(launcher, isolation))
    launcher.assert_nothing_left()
    return caught.value


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        ("another version", "version '9.9'"),
        ("longer messages", "reports maxMessageBytes"),
        ("answers ahead", "replied to nothing|has not read"),  # by which of its lines have come by then
        ("one id twice", "the id '1'"),
        ("too many requests", "outstanding than its limit"),
        ("too many calls", "more calls queued than its limit"),
        ("too many diagnostics", "more diagnostics than are kept"),
    ],
)
def test_a_lie_is_a_protocol_violation_that_names_it(lie: str, told: str) -> None:
    error = error_of(lie)
    assert isinstance(error, ProtocolViolation)
    assert re.search(told, str(error))


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        ("no isolation", "without strict isolation: memory"),
        ("a layer less", "without strict isolation: memory"),
        ("none", "the kernel does not confirm: Seccomp is 0, not 2"),
    ],
)
def test_a_cage_that_is_none_is_a_protocol_violation(lie: str, told: str) -> None:
    error = error_of(lie, "strict")
    assert isinstance(error, ProtocolViolation)
    assert told in str(error)


def test_a_child_killed_by_a_signal_without_a_name_has_died_of_its_number() -> None:
    error = error_of("a signal without a name")
    assert isinstance(error, ChildDied)
    assert error.signal == "signal 40"


def test_diagnostics_without_end_are_kept_up_to_a_bound() -> None:
    launcher = liar("endless diagnostics")
    outcome = run_workflow_blocking("export default 1", options=options(launcher))
    launcher.assert_nothing_left()
    kept = outcome.report.diagnostics
    assert 0 < sum(len(note["message"]) for note in kept) <= MAX_KEPT_BYTES
