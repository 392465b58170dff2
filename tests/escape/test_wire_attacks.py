"""A child that is taken over loses its own run; the host, and the run beside it, go on."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host import ChildDied, Limits, Outcome, RunError, RunOptions, run_workflow
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.stderr import TAIL_BYTES
from flowcage.host.terminal.text import safe

from ..host.children import Launcher
from .bystander import answer, bystander

HOSTILE = Path(__file__).parent / "hostile_child.py"
MIB = 1024 * 1024
DEADLINE_SECONDS = 300
# Longer than it takes the kernel to end a process with all its pipes, and short for a test.
STEP_MS, GRACE_SECONDS = 300, 0.3

# Each with the words that it is told by.
LIES = {
    "endless line": "bytes on one line",
    "100,000 levels": "more than 512 levels",
    "100,000 open brackets": "more than 512 levels",
    "integer of 5,000 digits": "too large for a double",
    "exponent of 5,000 digits": "too large for a double",
    "NaN": "NaN is not JSON",
    "-Infinity": "-Infinity is not JSON",
    "1e999": "too large for a double",
    "bad UTF-8": "can't decode byte 0xff",
    "overlong UTF-8": "can't decode byte 0xc0",
    "surrogate in UTF-8": "can't decode byte 0xed",
    "UTF-16": "can't decode byte 0xff",
    "UTF-16 without a mark": "not a JSON text",
    "byte-order mark": "not a JSON text",
    "NUL": "not a JSON text",
    "raw control character": "control character",
    "id true": "the id of its request",
    "id as a float": "the id of its request",
    "id in a list": "the id of its request",
    "id in an object": "the id of its request",
    "id as text": "replied to '3' instead of 3",
    "id null": "the id of its request",
    "late reply": "replied to '2' instead of 3",
    "early reply": "replied to '4' instead of 3",
    "duplicate reply": "replied to nothing",
    "unsolicited reply": "replied to nothing",
    "speaking first": "replied to '1' instead of 2",
    "request": "either a result or an error",
    "notification": "either a result or an error",
    "batch": "not a JSON-RPC 2.0 object",
    "unknown state": "/state",
    "complete without output": "'output' is required",
    "unknown request without an id": "/requests/0/type",
    "sleep below zero": "/requests/0/durationMs",
    "one request twice": "two requests the id '1'",
    "more requests than allowed": "outstanding than its limit",
    "more unknown requests than allowed": "outstanding than its limit",
    "longer messages": "more than the 8388608 that were set",
    "claims an unknown kind": "/data/kind",
    "stdout closed": "closed its stdout",
    "every pipe closed": "closed its stdout",
}
HANGS = ["silence", "drip", "resistance", "stdin closed", "stderr without end", "deafness", "SIGSTOP"]
DEATHS = {
    "SIGSEGV": Verdict.CRASHED,
    "SIGABRT": Verdict.CRASHED,
    "SIGBUS": Verdict.CRASHED,
    "SIGILL": Verdict.CRASHED,
    "SIGFPE": Verdict.CRASHED,
    "SIGKILL": Verdict.CRASHED,
    "SIGTERM": Verdict.CRASHED,
    "SIGPIPE": Verdict.CRASHED,
    "SIGSYS": Verdict.ISOLATION_VIOLATION,
    "SIGXCPU": Verdict.CPU_LIMIT,
}


async def _attack(attack: str, launchers: tuple[Launcher, Launcher], given: dict[str, Any]) -> Outcome:
    hostile, honest = launchers
    limits = Limits(step_timeout_ms=STEP_MS, memory_bytes=MIB, max_pending_requests=20)
    options = {
        "agent": answer,
        "launcher": hostile,
        "limits": limits,
        "isolation": "best_effort",
        "answer_grace_seconds": GRACE_SECONDS,
        "timeout_seconds": DEADLINE_SECONDS,
        **given,
    }
    source = "x" * 4 * MIB if attack == "deafness" else "export default 1"
    error: RunError | None = None
    async with bystander(honest):
        try:
            outcome = await run_workflow(source, options=RunOptions(**options))
        except RunError as caught:  # raised outside, where no group is made of it
            error = caught
    if error is not None:
        raise error
    return outcome


def outcome_of(attack: str, **given: Any) -> Outcome:
    """What comes of a run whose child attacks; nothing of it or of the run beside it may stay."""
    launchers = Launcher((sys.executable, "-I", str(HOSTILE), attack)), Launcher()
    try:
        return trio.run(_attack, attack, launchers, given)
    finally:
        for launcher in launchers:
            launcher.assert_nothing_left()


def error_of(attack: str, **given: Any) -> RunError:
    """The error that it ends with."""
    with pytest.raises(RunError) as caught:
        outcome_of(attack, **given)
    error = caught.value
    assert error.report.verdict is error.verdict
    return error


@pytest.mark.parametrize("lie", LIES)
def test_what_the_contract_does_not_allow_is_a_protocol_violation(lie: str) -> None:
    error = error_of(lie)
    assert error.verdict is Verdict.PROTOCOL_VIOLATION
    assert LIES[lie] in str(error)
    assert len(str(error)) < 500
    assert "\x1b" not in str(error)


def test_requests_of_unknown_types_are_bounded_and_told_cut_and_without_escapes() -> None:
    error = error_of("unknown request", max_received_bytes=4 * MIB)
    assert error.verdict is Verdict.OUTPUT_LIMIT
    assert {note["kind"] for note in error.report.diagnostics} == {"unknown_request_type"}
    for note in error.report.diagnostics:
        assert "31mxxx" in note["message"]
        assert len(note["message"]) < 200
        assert "\x1b" not in note["message"]


@pytest.mark.parametrize("hang", HANGS)
def test_a_child_that_does_not_answer_ends_at_its_step_timeout(hang: str) -> None:
    error = error_of(hang)
    assert error.verdict is Verdict.STEP_TIMEOUT
    assert error.child_alive


def test_a_child_that_is_silent_from_the_start_ends_at_the_wall_clock_limit() -> None:
    assert error_of("silence from the start", timeout_seconds=0.7).verdict is Verdict.WALL_TIMEOUT


@pytest.mark.parametrize("signal", DEATHS)
def test_a_death_is_told_with_its_signal_and_judged_by_it(signal: str) -> None:
    error = error_of(signal)
    assert isinstance(error, ChildDied)
    assert (error.signal, error.verdict) == (signal, DEATHS[signal])
    assert not error.child_alive


@pytest.mark.parametrize("exit_", ["half a line", "exit 0"])
def test_an_exit_with_status_0_is_a_crash_like_any_other(exit_: str) -> None:
    error = error_of(exit_)
    assert isinstance(error, ChildDied)
    assert (error.exit_code, error.verdict) == (0, Verdict.CRASHED)


def test_memory_that_grows_without_a_limit_of_its_own_is_seen_by_the_host() -> None:
    # No step timeout: only the memory can end it.
    limits = Limits(memory_bytes=MIB, step_timeout_ms=DEADLINE_SECONDS * 1000)
    assert error_of("growth", limits=limits).verdict is Verdict.MEMORY_LIMIT


def test_calls_without_end_are_an_output_limit() -> None:
    error = error_of("calls without end", max_received_bytes=MIB)
    assert error.verdict is Verdict.OUTPUT_LIMIT
    assert MIB < error.report.usage.bytes_received < 2 * MIB


@pytest.mark.parametrize(
    ("claim", "verdicts"),
    [
        ("claims timeout", {Verdict.FAILED}),
        ("claims stack", {Verdict.FAILED}),
        # Of these two nobody but the child knows, and neither says anything of the host.
        ("claims memory", {Verdict.FAILED, Verdict.MEMORY_LIMIT}),
        ("claims limit", {Verdict.FAILED, Verdict.OUTPUT_LIMIT}),
    ],
)
def test_a_claim_that_nothing_confirms_is_a_failure_of_the_run(claim: str, verdicts: set[Verdict]) -> None:
    assert error_of(claim).verdict in verdicts


def test_a_cage_that_is_only_claimed_gets_no_source() -> None:
    error = error_of("silence", isolation="strict")
    assert error.verdict is Verdict.PROTOCOL_VIOLATION
    assert "the kernel does not confirm" in str(error)
    assert error.report.usage.messages == 2


def test_forged_limits_give_the_child_no_time() -> None:
    error = error_of("silence")
    assert error.verdict is Verdict.STEP_TIMEOUT
    assert error.report.limits["answerGraceSeconds"] == GRACE_SECONDS


@pytest.mark.parametrize("manner", ["separators", "separators as escapes", "byte by byte"])
def test_separators_that_are_none_of_the_wires_cross_unharmed(manner: str) -> None:
    assert outcome_of(manner).result == "\u2028 \u2029 \u0085 \x0b \x7f \ufeff"


def test_escapes_in_a_log_are_data_for_programs_and_harmless_for_people() -> None:
    (values,) = outcome_of("escapes in a log").logs
    assert values == ("\x1b[2J\x9b31m\u202e",)
    assert safe(str(values[0])).count("\N{REPLACEMENT CHARACTER}") == 3


def test_escapes_in_the_last_words_are_left_out() -> None:
    error = error_of("escapes and exit 3")
    assert isinstance(error, ChildDied)
    assert error.stderr == error.report.stderr
    assert error.stderr.endswith("last words")
    lines = error.stderr.replace("\N{REPLACEMENT CHARACTER}", "?").split("\n")
    assert len(lines) == 2, "a carriage return goes back to the beginning of the line; a new one does not"
    assert all(line.isprintable() for line in lines)


def test_a_flood_of_stderr_costs_nothing_but_its_beginning() -> None:
    report = outcome_of("stderr and an answer").report
    assert report.stderr.endswith("noise")
    assert len(report.stderr) <= TAIL_BYTES
    assert "\x1b" not in report.stderr
    assert "\x07" not in report.stderr


@pytest.mark.parametrize("manner", ["forked", "forked and quiet", "forked into a session"])
def test_a_process_that_a_child_leaves_behind_keeps_nobody_waiting(manner: str) -> None:
    error = error_of(manner)
    assert error.verdict in {Verdict.CRASHED, Verdict.STEP_TIMEOUT}
    await_end(int(error.report.stderr))


def await_end(pid: int) -> None:
    """Wait until a process that is not ours has ended, reaped or not."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([watched], [], [], DEADLINE_SECONDS)[0], f"process {pid} lives on"
    finally:
        os.close(watched)
