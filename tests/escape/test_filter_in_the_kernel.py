"""This machine's kernel runs the same filter, and does to a real process what the interpreter foretold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from flowcage.child.cage.architecture import Architecture, current
from flowcage.child.cage.seccomp import assemble

from . import bpf
from .bpf import ALLOW, ERRNO, KILL_PROCESS
from .filter_rules import BUFFER, HIGH, PID, Call, killing, passing, rules_for

SERVER = Path(__file__).with_name("filter_server.py")
DEADLINE_S = 120  # only a server that hangs gets there
HIGHEST = 600
# No descriptor, no address, no process: what a broken filter lets through shall fail. (Zeros would be
# stdin, mode 0, the caller's group, IPC_RMID...)
HARMLESS = (2**64 - 1,) * 6
# Calls of x86_64 for uprobes alone, which Linux 6.14 and newer answers before it asks any filter
# (kernel/seccomp.c, seccomp_uprobe_exception); from anywhere else they do nothing.
UNFILTERED = {335: {"SIGILL", "errno 6"}, 336: {"SIGILL", "errno 6"}}
NAMED = {
    BUFFER: "buffer",
    PID: "pid",
    PID - 1: "pid-1",
    PID + 1: "pid+1",
    HIGH | PID: "high|pid",
}

_architecture = current()
if sys.platform != "linux" or _architecture is None:
    pytest.skip("no filter was written for this machine", allow_module_level=True)
ARCHITECTURE: Architecture = _architecture


def outcomes(trials: Iterable[tuple[int | str, tuple[int, ...]]], *, filtered: bool = True) -> list[str]:
    """How each call ended, made by a process of its own."""
    asked = [
        (number, [NAMED.get(argument, argument) for argument in arguments], filtered)
        for number, arguments in trials
    ]
    done = subprocess.run(
        [sys.executable, "-I", str(SERVER)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answered: list[str] = json.loads(done.stdout)
    assert len(answered) == len(asked)
    return answered


def numbered(calls: Iterable[Call]) -> list[tuple[int | str, tuple[int, ...]]]:
    """Calls of this architecture, by number."""
    numbers = ARCHITECTURE.numbers
    return [(numbers[call.name], call.arguments) for call in calls if call.name in numbers]


def test_an_allowed_call_does_what_it_does_without_a_filter() -> None:
    calls = numbered(passing())
    filtered = outcomes(calls)
    assert list(zip(calls, filtered, strict=True)) == list(
        zip(calls, outcomes(calls, filtered=False), strict=True)
    )
    # Sanity: most succeed, and some fail in ways that only the kernel behind the filter knows.
    assert filtered.count("errno 0") > len(calls) / 2
    assert "SIGABRT" in filtered
    assert "SIGSYS" not in filtered


def test_an_allowed_call_with_one_argument_changed_kills_the_process() -> None:
    calls = numbered(killing())
    survived = [
        (call, outcome) for call, outcome in zip(calls, outcomes(calls), strict=True) if outcome != "SIGSYS"
    ]
    assert survived == []


def test_kernel_and_interpreter_agree_on_every_number() -> None:
    program = bpf.decode(assemble(rules_for(PID), ARCHITECTURE))
    foretold = [
        bpf.run(program, bpf.seccomp_data(number, ARCHITECTURE.audit, HARMLESS))
        for number in range(HIGHEST + 1)
    ]
    expected = {KILL_PROCESS: "SIGSYS", ERRNO | 13: "errno 13"}
    real = outcomes((number, HARMLESS) for number in range(HIGHEST + 1))
    differing = [
        (number, action, outcome)
        for number, (action, outcome) in enumerate(zip(foretold, real, strict=True))
        if (outcome in expected.values() if action == ALLOW else outcome != expected[action])
        and not (os.uname().machine == "x86_64" and outcome in UNFILTERED.get(number, ()))
    ]
    assert differing == []
    assert set(foretold) == {ALLOW, *expected}


def test_numbers_that_are_none_kill_where_the_kernel_alone_would_answer() -> None:
    getpid = ARCHITECTURE.numbers["getpid"]
    strange: list[tuple[int | str, tuple[int, ...]]] = [
        (number, ()) for number in (-1, -2, 0x4000_0000 | getpid, 0x3FFF_FFFF, 0x7FFF_FFFF)
    ]
    assert all(outcome.startswith("errno") for outcome in outcomes(strange, filtered=False))
    assert outcomes(strange) == ["SIGSYS"] * len(strange)


def test_a_system_call_of_i386_kills_although_its_number_is_allowed() -> None:
    trial: list[tuple[int | str, tuple[int, ...]]] = [("int 0x80", ())]
    if os.uname().machine != "x86_64":
        pytest.skip("only x86_64 has int 0x80")
    if outcomes(trial, filtered=False) != ["errno 0"]:
        pytest.skip("this kernel has no IA32 emulation, or allows no executable memory")
    assert outcomes(trial) == ["SIGSYS"]
