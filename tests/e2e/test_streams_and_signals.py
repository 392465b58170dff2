"""Streams that are closed or full, and signals: one message, the right exit status, no process left."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from .command import DEADLINE, EXAMPLES, FLOWCAGE, flowcage

pytestmark = pytest.mark.executed

NAN_AND_MORE = {
    "timeout nan": ["--timeout", "nan"],
    "timeout inf": ["--timeout", "inf"],
    "agent timeout nan": ["--agent-timeout", "nan"],
    "budget beyond a double": ["--budget", "99999999999999999999999"],
    "endless args": ["--args-file", "/dev/zero"],
    "args too deep": ["--args", "[" * 600 + "]" * 600],
}


def in_shell(tmp_path: Path, words: str, source: str = 'log("x"); export default 1') -> tuple[int, bytes]:
    """Run a command line of sh's, whose redirections are the point; its status and its stderr."""
    (tmp_path / "w.js").write_text(source)
    done = subprocess.run(
        ["sh", "-c", words],
        cwd=tmp_path,
        env={**os.environ, "FLOWCAGE": str(FLOWCAGE)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        timeout=DEADLINE,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ('"$FLOWCAGE" run w.js >/dev/full', 125, b"cannot be written: No space left"),
        ('"$FLOWCAGE" run w.js >&-', 125, b"stdout is closed"),
        ('"$FLOWCAGE" doctor >/dev/full', 125, b"cannot be written"),
        ('"$FLOWCAGE" --help >/dev/full', 125, b"flowcage: stdout cannot be written to: No space left"),
        ('"$FLOWCAGE" --version >/dev/full', 125, b"flowcage: stdout cannot be written to: No space left"),
        ('"$FLOWCAGE" run --help >/dev/full', 125, b"flowcage: stdout cannot be written to: No space left"),
        ('"$FLOWCAGE" serve --help >/dev/full', 125, b"flowcage: stdout cannot be written to: No space left"),
        ('"$FLOWCAGE" run w.js --events /dev/full', 125, b"--events /dev/full: cannot be written"),
        ('"$FLOWCAGE" run w.js 2>/dev/full', 0, b""),
        ('"$FLOWCAGE" run w.js 2>&-', 0, b""),
        ('"$FLOWCAGE" run none.js 2>/dev/full', 2, b""),
        ('"$FLOWCAGE" run w.js </dev/null', 0, b"x"),
        ('env -i "$FLOWCAGE" run w.js', 0, b"x"),
        ('LC_ALL=C PYTHONIOENCODING=ascii "$FLOWCAGE" run w.js', 0, b"x"),
    ],
)
def test_a_stream_that_takes_nothing_costs_its_own_text_only(
    tmp_path: Path, words: str, status: int, message: bytes
) -> None:
    returned, stderr = in_shell(tmp_path, words)
    assert returned == status
    assert message in stderr


def test_whoever_ignores_sigchld_still_learns_how_a_child_ended() -> None:
    ignore = (
        "from signal import *; import os, sys; signal(SIGCHLD, SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    words: list[str | Path] = [FLOWCAGE, "run", EXAMPLES / "review.js", "--isolation", "none"]
    words += ["--child-command", "sh -c 'kill -SEGV $$'"]
    done = subprocess.run(
        [sys.executable, "-c", ignore, *words], capture_output=True, timeout=DEADLINE, check=False
    )
    assert (done.returncode, b"killed by SIGSEGV" in done.stderr) == (125, True), done.stderr


@pytest.mark.parametrize("case", NAN_AND_MORE)
def test_a_number_or_args_out_of_bounds_are_a_usage_error(tmp_path: Path, case: str) -> None:
    path = tmp_path / "w.js"
    path.write_text("export default 1")
    finished = flowcage("run", path, *NAN_AND_MORE[case])
    assert finished.status == 2, finished.stderr
    assert finished.stderr


def test_a_usage_error_leaves_an_existing_events_file_alone(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("export default 1")
    events = tmp_path / "events.jsonl"
    events.write_text("precious")
    finished = flowcage("run", tmp_path / "w.js", "--events", events, "--agent", "bogus")
    assert finished.status == 2
    assert events.read_text() == "precious"


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": ""}, True),
        ({"FORCE_COLOR": "0"}, False),
    ],
)
def test_a_terminal_gets_colour_unless_a_variable_that_is_not_empty_says_no(
    tmp_path: Path, variables: dict[str, str], coloured: bool
) -> None:
    (tmp_path / "w.js").write_text('phase("P"); return 1')
    ours, theirs = pty.openpty()
    without = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    environment = {**without, "TERM": "xterm", **variables}
    with subprocess.Popen(
        [FLOWCAGE, "run", tmp_path / "w.js"], stdout=subprocess.DEVNULL, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        assert process.wait(DEADLINE) == 0
        said = os.read(ours, 4096)
    os.close(ours)
    assert b"== P" in said
    assert (b"\x1b[" in said) is coloured


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_end_kills_children_and_agents_first(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    agent = tmp_path / "agent.py"
    agent.write_text(f"import time\nopen({str(ready)!r}, 'w').close()\ntime.sleep(1000)\n")
    workflow = tmp_path / "w.js"
    workflow.write_text('export default agent("x")')
    command: list[str | Path] = [FLOWCAGE, "run", workflow, "--agent", f"command:{sys.executable} -S {agent}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        ready.read_text()  # returns when the agent has opened its end and closed it again
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == status
    assert stderr.decode().endswith(f"flowcage: ended by {number.name}\n")
    assert len(family) == 3  # the workflow's child, the agent, and the agent's supervisor
    assert not any(member.is_running() for member in family)


def test_the_child_sees_no_environment_and_no_descriptor_but_its_own(tmp_path: Path) -> None:
    events = tmp_path / "events"
    os.mkfifo(events)
    (tmp_path / "w.js").write_text("export default SW.extra.sleep(1e6)")
    # Without the rest of the cage, which would keep an ordinary user from looking.
    command: list[str | Path] = [
        FLOWCAGE,
        "run",
        tmp_path / "w.js",
        "--events",
        events,
        "--isolation",
        "none",
    ]
    environment = {**os.environ, "SECRET": "s3cret"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as process:
        with events.open() as stream:
            assert "started" in stream.readline()
            (child,) = psutil.Process(process.pid).children()
            environ = Path(f"/proc/{child.pid}/environ").read_bytes()
            links = {os.readlink(entry) for entry in Path(f"/proc/{child.pid}/fd").iterdir()}
            process.send_signal(signal.SIGINT)
            stream.read()
        process.communicate(timeout=DEADLINE)
    assert environ == b"TZ=UTC0\0"
    others = {link for link in links if not link.startswith("pipe:")}
    assert others == {f"/proc/{child.pid}/status"}
