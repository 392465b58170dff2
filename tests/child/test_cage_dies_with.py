"""--die-with PID: the child ends with the process that started it, even in the middle of a step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from flowcage.child.__main__ import USAGE

from .caged import Caged, wait_for_end
from .child_process import DEADLINE_S, PROGRAM

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")

# Starts a child on its own stdin and stdout, tells its id on a descriptor, and waits for whatever comes.
PARENT = """
import os, subprocess, sys
mine = ["--die-with", str(os.getpid())] if sys.argv[1] == "together" else []
child = subprocess.Popen([sys.executable, "-I", "-m", "flowcage.child", *mine])
os.write(int(sys.argv[2]), str(child.pid).encode())
child.wait()
"""


class Grandchild(Caged):
    """A child whose parent is a process of ours, which can be killed."""

    def __init__(self, mode: str) -> None:
        reading, writing = os.pipe()
        command = (sys.executable, "-I", "-c", PARENT, mode, str(writing))
        super().__init__(command, env={}, pass_fds=(writing,))
        os.close(writing)
        with open(reading, "rb", 0) as told:
            self.grandchild = int(told.read(100))
        self.pidfd = os.pidfd_open(self.grandchild)

    def kill_parent(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert self.program.wait(DEADLINE_S) == -signal.SIGKILL

    def wait_until_it_computes(self) -> None:
        """Return when it has used CPU time since the call."""
        process = psutil.Process(self.grandchild)
        began, deadline = process.cpu_times().user, time.monotonic() + DEADLINE_S
        while process.cpu_times().user < began + 0.05:
            assert time.monotonic() < deadline, "it does not compute"


@contextmanager
def grandchild(mode: str) -> Iterator[Grandchild]:
    process = Grandchild(mode)
    try:
        with process:
            yield process
            process.over()
    finally:
        if not wait_for_end(process.pidfd, 0):
            signal.pidfd_send_signal(process.pidfd, signal.SIGKILL)
        os.close(process.pidfd)


def test_a_child_is_killed_with_its_parent_in_the_middle_of_a_step() -> None:
    with grandchild("together") as process:
        layer = process.enter(limits={"stepTimeoutMs": 600_000})["isolation"]["parent_death"]
        assert layer["applied"], layer
        params = {"source": "export default 1; for (;;);"}
        process.send_request("start", params)
        process.send_request("drain")
        process.wait_until_it_computes()
        process.kill_parent()
        assert wait_for_end(process.pidfd)


def test_a_child_is_killed_with_its_parent_while_it_waits_for_a_message() -> None:
    with grandchild("together") as process:
        process.enter()
        process.kill_parent()
        assert wait_for_end(process.pidfd)  # though its stdin is still open, here


def test_a_child_that_was_not_asked_to_outlives_its_parent_until_stdin_ends() -> None:
    with grandchild("apart") as process:
        layer = process.enter()["isolation"]["parent_death"]
        assert not layer["applied"]
        assert "--die-with" in layer["detail"]
        process.kill_parent()
        assert process.result_of("export default 1") == 1
        process.close_stdin()
        assert wait_for_end(process.pidfd)


def test_a_child_whose_parent_is_gone_before_it_could_ask_leaves_at_once() -> None:
    with grandchild("together") as process:
        process.kill_parent()
        process.send_request("initialize", {"protocolVersion": "1.0"})
        assert wait_for_end(process.pidfd)


def test_a_child_that_shall_die_with_somebody_else_says_so_and_leaves_at_once() -> None:
    with Caged((*PROGRAM, "--die-with", str(os.getppid()))) as process:
        process.send_request("initialize", {"protocolVersion": "1.0"})
        status, said, complaint = process.expect_end()
        assert (status, said) == (0, b"")
        assert f"--die-with {os.getppid()}: not the parent process".encode() in complaint


def test_isolation_none_does_not_tie_the_child_to_anybody() -> None:
    with Caged((*PROGRAM, "--die-with", str(os.getpid()))) as process:
        assert not process.enter("none")["isolation"]["parent_death"]["applied"]


@pytest.mark.parametrize(
    "arguments",
    [
        "--die-with",
        "--die-with me",
        "--die-with 0",
        "--die-with -5",
        "--die-with=1",
        "--live-with 1",
        "1",
        "--die-with 1 2",
        "--help",
    ],
)
def test_a_wrong_option_is_answered_with_the_usage_and_status_64(arguments: str) -> None:
    done = subprocess.run(
        [*PROGRAM, *arguments.split()], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    assert (done.returncode, done.stdout) == (64, b"")
    assert done.stderr.decode() == f"flowcage-child: {USAGE}\n"
