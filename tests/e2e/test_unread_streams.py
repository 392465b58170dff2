"""Streams that nobody reads, a full pipe or a terminal stopped with Ctrl-S: deadlines and signals hold."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from .command import DEADLINE, FLOWCAGE

pytestmark = pytest.mark.executed

CHATTY = 'for (;;) { for (let i = 0; i < 100; i++) log("x".repeat(1000)); await SW.extra.sleep(1); }'
# More than any pipe or terminal holds.
MANY = 300


@contextmanager
def full_pipe() -> Iterator[int]:
    """A pipe that is never read."""
    reading, writing = os.pipe()
    yield writing
    os.close(reading)
    os.close(writing)


@contextmanager
def stopped_terminal() -> Iterator[int]:
    """A terminal whose user pressed Ctrl-S."""
    master, slave = pty.openpty()
    termios.tcflow(slave, termios.TCOOFF)
    yield slave
    termios.tcflow(slave, termios.TCOON)
    os.close(master)
    os.close(slave)


@contextmanager
def killed_in_the_end(process: subprocess.Popen[Any]) -> Iterator[None]:
    """A test that fails must not wait for a process that hangs."""
    try:
        yield
    finally:
        process.kill()


Unread = Callable[[], AbstractContextManager[int]]
UNREAD = pytest.mark.parametrize("unread", [full_pipe, stopped_terminal])


@UNREAD
def test_a_timeout_holds_though_nobody_reads_stderr(unread: Unread, tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text(f"{CHATTY}\nexport default 1")
    with unread() as stderr:
        done = subprocess.run(
            [FLOWCAGE, "run", tmp_path / "w.js", "--timeout", "1"],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            timeout=DEADLINE,
            check=False,
        )
    assert done.returncode == 124


@UNREAD
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_run_though_nobody_reads_stderr(
    unread: Unread, number: signal.Signals, status: int, tmp_path: Path
) -> None:
    (tmp_path / "w.js").write_text(f"{CHATTY}\nexport default 1")
    os.mkfifo(tmp_path / "events")
    command: list[str | Path] = [FLOWCAGE, "run", tmp_path / "w.js", "--events", tmp_path / "events"]
    with (
        unread() as stderr,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr) as process,
        killed_in_the_end(process),
    ):
        with (tmp_path / "events").open() as events:
            for _ in range(MANY):
                assert events.readline()
            children = psutil.Process(process.pid).children()
            process.send_signal(number)
            events.read()
        assert process.wait(DEADLINE) == status
    assert children
    assert not any(child.is_running() for child in children)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_ends_the_command_while_nobody_reads_its_result(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    (tmp_path / "w.js").write_text('export default "x".repeat(1_000_000)')
    command: list[str | Path] = [FLOWCAGE, "run", tmp_path / "w.js"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
        killed_in_the_end(process),
    ):
        assert process.stdout is not None
        assert os.read(process.stdout.fileno(), 1) == b"{"  # the rest does not fit into the pipe
        process.send_signal(number)
        assert process.wait(DEADLINE) == status


# What `flowcage run` does at its end, with a reader of stderr for whom it waits longer than this test does.
PATIENT = f"""
from flowcage.host.terminal import line_sink, text
line_sink.FLUSH_SECONDS = {10 * DEADLINE}
from flowcage.host.cli.console import write_result
for _ in range({MANY}):
    text.tell("x" * 1000)
write_result("the result")
text.leave(0)
"""


def test_a_result_does_not_wait_for_who_reads_stderr() -> None:
    with (
        subprocess.Popen(
            [sys.executable, "-c", PATIENT], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
        killed_in_the_end(process),
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        readable, _, _ = select.select([process.stdout], [], [], DEADLINE)
        assert readable
        assert process.stdout.readline() == b"the result\n"
        assert len(process.stderr.read().splitlines()) == MANY


def test_where_both_are_one_pipe_the_result_comes_after_what_was_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PATIENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stdout.splitlines() == [b"x" * 1000] * MANY + [b"the result"]


def test_a_reader_of_stderr_who_comes_late_is_told_how_many_lines_are_missing(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text(
        """
        for (let i = 0; i < 6; i++) {
          for (let j = 0; j < 1000; j++) log("x".repeat(3900));
          await SW.extra.sleep(0);
        }
        export default agent("x")"""
    )
    os.mkfifo(tmp_path / "gate")
    (tmp_path / "agent.py").write_text(f"open({str(tmp_path / 'gate')!r}, 'w').close(); print('ok')")
    agent = f"command:{sys.executable} -S {tmp_path / 'agent.py'}"
    command: list[str | Path] = [FLOWCAGE, "run", tmp_path / "w.js", "--agent", agent]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        (tmp_path / "gate").read_text()  # all was logged by now
        _, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    dropped = re.findall(r"^flowcage: (\d+) lines dropped: stderr was not read$", stderr, re.MULTILINE)
    assert dropped
    told = len(re.findall("^(?:   x+|[<-][->] agent .*|flowcage: note: .*)$", stderr, re.MULTILINE))
    assert (
        told + sum(map(int, dropped)) == 6_000 + 2 + 1
    )  # the last is that the report has no room for them all


def test_how_many_lines_are_missing_is_told_in_the_form_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text(
        'for (let i = 0; i < 9; i++) { for (let j = 0; j < 1000; j++) log("x".repeat(3900));'
        "await SW.extra.sleep(0); }"
        'export default agent("x")'
    )
    os.mkfifo(tmp_path / "gate")
    (tmp_path / "agent.py").write_text(f"open({str(tmp_path / 'gate')!r}, 'w').close(); print('ok')")
    agent = f"command:{sys.executable} -S {tmp_path / 'agent.py'}"
    command: list[str | Path] = [FLOWCAGE, "run", tmp_path / "w.js", "--agent", agent, "--log-format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        (tmp_path / "gate").read_text()  # all was logged by now
        _, stderr = process.communicate(timeout=DEADLINE)
    told = [json.loads(line) for line in stderr.splitlines()]
    missing = [each for each in told if "lines dropped: stderr was not read" in each.get("message", "")]
    assert missing
    assert {each["type"] for each in missing} == {"message"}


def test_a_second_ctrl_c_does_not_wait_for_who_reads_the_events(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text(f'for (let i = 0; i < {10 * MANY}; i++) log("x".repeat(1000)); {CHATTY}')
    os.mkfifo(tmp_path / "events")
    command: list[str | Path] = [FLOWCAGE, "run", tmp_path / "w.js", "--events", tmp_path / "events"]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process,
        killed_in_the_end(process),
        (tmp_path / "events").open() as events,
    ):
        for _ in range(MANY):
            assert events.readline()
        children = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        assert psutil.wait_procs(children, DEADLINE)[1] == []  # now it waits for the reader
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
