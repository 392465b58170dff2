"""All that a program starts ends with its call, whatever session it is in, and with a killed host."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest
import trio

from flowcage.host.agents.programs import supervised
from flowcage.host.agents.programs.program import ProgramError, output_of

from .leavers import LEAVERS, marked, wait_gone
from .test_agents_program import DEADLINE_S, python, run, within_deadline


class Leaver:
    """A program of `LEAVERS` and how to wait until it has left."""

    def __init__(self, name: str, folder: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.name = name
        self.events = folder / "events"
        os.mkfifo(self.events)
        self.reader = os.open(self.events, os.O_RDWR | os.O_NONBLOCK)
        self.environment = {**os.environ, "MARK": self.mark, "EVENTS": str(self.events)}

    async def run(self) -> bytes:
        argv = ["sh", "-c", LEAVERS[self.name]]
        return await output_of(argv, b"", environment=self.environment, timeout_s=DEADLINE_S)

    async def wait_left(self) -> None:
        await trio.lowlevel.wait_readable(self.reader)

    def assert_nobody_lives(self) -> None:
        os.close(self.reader)
        assert marked(self.mark) == []


async def cancelled(leaver: Leaver, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Run a program and cancel it once it has left."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leaver.run)
        await leaver.wait_left()
        meanwhile()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("name", [name for name in LEAVERS if name != "ends"])
def test_what_a_program_started_is_dead_when_its_call_is_cancelled(name: str, tmp_path: Path) -> None:
    leaver = Leaver(name, tmp_path)
    within_deadline(partial(cancelled, leaver))
    leaver.assert_nobody_lives()


def test_what_a_program_left_behind_is_dead_when_its_call_returns(tmp_path: Path) -> None:
    leaver = Leaver("ends", tmp_path)
    assert within_deadline(leaver.run) == b""
    leaver.assert_nobody_lives()


def test_a_program_that_kills_its_supervisor_dies_with_its_group_and_an_error(tmp_path: Path) -> None:
    leaver = Leaver("child", tmp_path)
    code = f"({LEAVERS['child']}) & kill -9 $PPID; wait"

    async def main() -> None:
        with pytest.raises(ProgramError, match=r"^was ended, because its supervisor was killed by SIGKILL$"):
            await output_of(["sh", "-c", code], b"", environment=leaver.environment, timeout_s=DEADLINE_S)

    within_deadline(main)
    assert wait_gone(leaver.mark)
    os.close(leaver.reader)


def test_a_program_dies_with_its_supervisor_where_the_host_has_ended_before() -> None:
    code = (
        "import ctypes; got = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(got)); print(got.value)"
    )
    assert int(run(python(code))) == signal.SIGKILL  # PR_GET_PDEATHSIG


# What there is elsewhere than on Linux: no subreaper, no pidfd, no /proc.
LESS = """import supervisor
supervisor._prctl = lambda option, value: None
supervisor._pidfd = lambda pid: -1
supervisor.posix.access = lambda path, mode: False
"""


@pytest.mark.parametrize("name", ["stays", "child", "deaf", "nohup"])
def test_without_the_means_of_linux_the_group_ends(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *interpreter, code = supervised._COMMAND
    monkeypatch.setattr(
        supervised, "_COMMAND", (*interpreter, code.replace("from supervisor", f"{LESS}from supervisor"))
    )
    leaver = Leaver(name, tmp_path)
    within_deadline(partial(cancelled, leaver))
    assert wait_gone(leaver.mark)
    os.close(leaver.reader)

    async def main() -> bytes:
        argv, environment = ["sh", "-c", "sleep 1000 & echo done"], leaver.environment
        return await output_of(argv, b"", environment=environment, timeout_s=DEADLINE_S)

    assert within_deadline(main) == b"done\n"
    assert wait_gone(leaver.mark)


def test_a_supervisor_that_is_stopped_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "_REAP_SECONDS", 0.2)
    leaver = Leaver("child", tmp_path)

    def stop() -> None:
        (supervisor,) = psutil.Process().children()
        supervisor.suspend()

    within_deadline(partial(cancelled, leaver, stop))
    assert wait_gone(leaver.mark)
    os.close(leaver.reader)


def test_the_environment_is_the_one_that_is_given_and_nothing_else() -> None:
    async def main() -> bytes:
        return await output_of(["env"], b"", environment={"A": "ö"}, timeout_s=DEADLINE_S)

    assert within_deadline(main) == "A=ö\n".encode()


def test_signals_are_as_programs_expect_them() -> None:
    async def main() -> bytes:
        return await output_of(["grep", "Sig", "/proc/self/status"], b"", timeout_s=DEADLINE_S)

    told = dict(line.split(":\t") for line in within_deadline(main).decode().splitlines())
    # Signals 32 and 33 are kept by the C library: nobody can set them, so they are as they were inherited.
    settable = sum(1 << number - 1 for number in signal.valid_signals())
    assert (int(told["SigIgn"], 16) & settable, int(told["SigBlk"], 16)) == (ignored_by_the_user(), 0)


def ignored_by_the_user() -> int:
    """Signals that whoever started the tests has them ignore (nohup), without those that Python ignores."""
    of_python = (signal.SIGPIPE, signal.SIGXFSZ)
    found = [each for each in signal.valid_signals() if signal.getsignal(each) is signal.SIG_IGN]
    return sum(1 << each - 1 for each in found if each not in of_python)


@pytest.mark.parametrize("trials", [25, pytest.param(100, marks=pytest.mark.thorough)])
def test_a_host_that_is_killed_at_any_moment_leaves_no_process(trials: int, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.agents.killed_hosts", str(tmp_path), str(trials), "2026"]
    told = subprocess.run(program, stdout=subprocess.PIPE, check=True)
    results = [json.loads(line) for line in told.stdout.splitlines()]
    assert len(results) == trials
    assert [each for each in results if not each["gone"]] == []
    # In the last one all were there.
    assert results[-1]["lived"] > len(LEAVERS)
