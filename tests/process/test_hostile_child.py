"""Whatever a child says or does, its run ends in one typed error, and the child is gone."""

from __future__ import annotations

import pytest
import trio

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    ChildDied,
    Limits,
    ProtocolViolation,
    RunError,
    RunOptions,
    RunTimedOut,
    run_workflow,
)
from flowcage.host.process import codec
from flowcage.host.process.launch import switches

from ..host.children import Launcher, fake_child

# `start` and `drain` are in `run`, `resolve` in `advance`; an older child has neither.
STEPS = ["initialize", "start", "drain", "resolve", "older:start", "older:drain", "older:resolve"]
LIES = [
    "garbage",
    "nan",
    "utf-16",
    "invalid-utf-8",
    "batch",
    "deep",
    "long-integer",
    "wrong-id",
    "id-true",
    "id-fraction",
    "no-id",
    "result-and-error",
    "error-without-kind",
    "endless-line",
]


async def answer(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(call.prompt)


def error_of(launcher: Launcher, timeout_seconds: float = 300) -> RunError:
    # A fake child is in no cage, and strict isolation would end the run for that alone.
    options = RunOptions(
        agent=answer, launcher=launcher, timeout_seconds=timeout_seconds, isolation="best_effort"
    )
    with pytest.raises(RunError) as caught:
        trio.run(lambda: run_workflow("export default 1", options=options))
    launcher.assert_nothing_left()
    return caught.value


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("lie", LIES)
def test_a_line_outside_the_contract_ends_the_run_as_a_protocol_violation(step: str, lie: str) -> None:
    error = error_of(fake_child(step, lie))
    assert isinstance(error, ProtocolViolation)
    assert "isolation" not in str(error)  # the lie was found out, and not the fake child's poverty
    assert error.child_alive
    assert len(str(error)) < 500


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_has_the_same_words_without_the_typed_codec(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = str(error_of(fake_child("drain", lie)))
    monkeypatch.setattr(codec, "IS_TYPED", False)
    assert str(error_of(fake_child("drain", lie))) == told


# What brings back what the workflow has done at once.
FIRST = "run" if switches.JOINED_MESSAGES else "drain"


@pytest.mark.parametrize(
    ("step", "method"), [("initialize", "initialize"), ("drain", FIRST), ("older:drain", "drain")]
)
def test_a_result_of_another_shape_is_a_protocol_violation_that_names_the_method(
    step: str, method: str
) -> None:
    error = error_of(fake_child(step, "wrong-shape"))
    assert isinstance(error, ProtocolViolation)
    assert f"answer to {method} is not in the contract" in str(error)


@pytest.mark.parametrize("step", STEPS)
def test_a_child_that_exits_is_reported_with_its_status_and_its_last_words(step: str) -> None:
    error = error_of(fake_child(step, "exits-3"))
    assert isinstance(error, ChildDied)
    assert (error.exit_code, error.signal, error.child_alive) == (3, None, False)
    assert error.stderr == "the reason"


@pytest.mark.parametrize("step", STEPS)
def test_a_child_that_exits_0_in_the_middle_of_a_run_has_died(step: str) -> None:
    error = error_of(fake_child(step, "exits-0"))
    assert isinstance(error, ChildDied)
    assert error.exit_code == 0


@pytest.mark.parametrize("step", STEPS)
def test_a_child_that_is_killed_is_reported_with_its_signal(step: str) -> None:
    error = error_of(fake_child(step, "dies"))
    assert isinstance(error, ChildDied)
    assert (error.signal, error.exit_code) == ("SIGKILL", None)


@pytest.mark.parametrize("step", STEPS)
def test_half_a_line_and_an_exit_is_a_death_not_a_message(step: str) -> None:
    error = error_of(fake_child(step, "dies-in-line"))
    assert isinstance(error, ChildDied)


def test_a_child_that_closes_its_stdout_but_lives_is_killed() -> None:
    error = error_of(fake_child("drain", "closes-stdout"))
    assert isinstance(error, ProtocolViolation)
    assert "closed its stdout" in str(error)


@pytest.mark.parametrize("step", STEPS)
def test_a_child_that_never_answers_is_killed_at_the_wall_clock_limit(step: str) -> None:
    error = error_of(fake_child(step, "silent"), timeout_seconds=0.5)
    assert isinstance(error, RunTimedOut)


def test_a_flood_of_stderr_blocks_nobody_and_only_its_tail_is_kept() -> None:
    error = error_of(fake_child("drain", "fills-stderr"))
    assert isinstance(error, ChildDied)
    assert 0 < len(error.stderr) <= 8192


def test_a_host_that_serves_a_liar_serves_the_next_run_as_well() -> None:
    error_of(fake_child("drain", "garbage"))
    launcher = Launcher()
    options = RunOptions(launcher=launcher, limits=Limits(), isolation="best_effort")
    outcome = trio.run(lambda: run_workflow("export default 2", options=options))
    assert outcome.result == 2
    launcher.assert_nothing_left()
