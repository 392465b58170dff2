"""The process that applies a workflow's schema: what /proc says of it before it has read anything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .caged import circumstance, ordinary_user, wait_for_end
from .child_process import DEADLINE_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

MIB = 1024 * 1024
LIMITS = ("3", str(300 * MIB))
COMMAND = (sys.executable, "-I", "-m", "flowcage.child.checker")
TASK = {"schema": {"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}}, "value": "x"}


@contextmanager
def started(*command: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A checker that has not been given its task; it is killed where it does not end."""
    pipe = subprocess.PIPE
    given = {"env": {}, "bufsize": 0, **options}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, **given) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.fixture(params=["whoever tests", "an ordinary user"])
def ready(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A checker that waits for its task, as a host that leaves things open and known starts it."""
    prefix = ordinary_user() if request.param == "an ordinary user" else ()
    reading, writing = os.pipe()
    options: dict[str, Any] = {"env": {"TZ": "UTC0"}, "pass_fds": (reading, writing)}
    if not prefix:
        options["env"]["SECRET"] = "sesame"
    try:
        with started(*prefix, *COMMAND, "strict", *LIMITS, **options) as process:
            assert first_line(process) == b"ready\n"
            yield process
    finally:
        os.close(reading)
        os.close(writing)


def status_of(process: subprocess.Popen[bytes]) -> dict[str, str]:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_it_is_caged_before_it_has_read_anything(ready: subprocess.Popen[bytes]) -> None:
    status = status_of(ready)
    wanted = {"Seccomp": "2", "Seccomp_filters": "1", "NoNewPrivs": "1", "Threads": "1"}
    assert {name: status[name] for name in wanted} == wanted
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert os.getsid(ready.pid) == os.getpgid(ready.pid) == ready.pid
    assert os.getpriority(os.PRIO_PROCESS, ready.pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)
    assert Path(f"/proc/{ready.pid}/oom_score_adj").read_text().strip() == "1000"


def test_its_limits_are_those_of_one_check(ready: subprocess.Popen[bytes]) -> None:
    lines = Path(f"/proc/{ready.pid}/limits").read_text().splitlines()[1:]
    limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    for name in ("file size", "core file size", "processes", "open files", "locked memory"):
        assert limits[f"Max {name}"] == ["0", "0"]
    assert limits["Max address space"] == [str(300 * MIB)] * 2
    soft, hard = map(int, limits["Max cpu time"])
    assert hard == soft + 1
    assert 3 < soft <= 3 + 2  # its start has used some


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look")
def test_it_has_five_descriptors_no_environment_and_a_user_of_its_own(
    ready: subprocess.Popen[bytes],
) -> None:
    assert sorted(os.listdir(f"/proc/{ready.pid}/fd"), key=int) == ["0", "1", "2", "3", "4"]
    assert b"sesame" not in Path(f"/proc/{ready.pid}/environ").read_bytes()
    assert os.readlink(f"/proc/{ready.pid}/cwd") == "/"
    assert int(status_of(ready)["Uid"].split()[0]) != 0


def test_it_does_its_task_and_ends(ready: subprocess.Popen[bytes]) -> None:
    said, errors = ready.communicate(json.dumps(TASK).encode(), DEADLINE_S)
    assert (json.loads(said), errors) == ({"problem": '(root): "x" is not of type "integer"'}, b"")
    assert ready.returncode == 0


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (b'{"schema": true, "value": NaN}', "options.schema cannot be applied: NaN is not JSON"),
        (b'{"schema": 5}', "options.schema is not a JSON Schema: it must be an object or a boolean"),
        (b"[" * 1_000, "options.schema cannot be applied: nested more than 512 levels deep"),
        (b"", "options.schema cannot be applied: Expecting value"),
    ],
)
def test_a_task_that_cannot_be_done_is_an_error(text: bytes, reply: str) -> None:
    with started(*COMMAND, "strict", *LIMITS) as process:
        said, _ = process.communicate(text, DEADLINE_S)
    assert json.loads(said.removeprefix(b"ready\n"))["error"].startswith(reply)
    assert process.returncode == 0


def test_without_a_strict_layer_it_refuses_to_be_ready() -> None:
    command = circumstance("no_filter", *COMMAND, "strict", *LIMITS)
    with started(*command) as process:
        said, _ = process.communicate(b"", DEADLINE_S)
    (kind, why), *others = json.loads(said).items()
    assert (kind, others, process.returncode) == ("isolation", [], 0)
    assert "seccomp" in why


def test_best_effort_goes_on_without_it() -> None:
    command = circumstance("no_filter", *COMMAND, "best_effort", *LIMITS)
    with started(*command) as process:
        said, _ = process.communicate(json.dumps(TASK).encode(), DEADLINE_S)
    assert said.startswith(b"ready\n")
    assert process.returncode == 0


@pytest.mark.parametrize("level", ["strict", "none"])
def test_it_dies_with_its_host(level: str) -> None:
    starter = (
        "import os, subprocess, sys;"
        f"command = [*{COMMAND!r}, '{level}', *{LIMITS!r}, '--die-with', str(os.getpid())];"
        "p = subprocess.Popen(command, stdin=0, stdout=subprocess.PIPE, bufsize=0);"
        "line = p.stdout.readline(); print(p.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    waiting, kept = os.pipe()  # its stdin stays open: the end of that would end it, too
    try:
        done = subprocess.run(
            [sys.executable, "-c", starter], stdin=waiting, capture_output=True, timeout=300, check=False
        )
        assert done.returncode == -signal.SIGKILL
        assert not _lives(int(done.stdout))
    finally:
        os.close(waiting)
        os.close(kept)


def _lives(pid: int) -> bool:
    """Whether a process that is nobody's child any more goes on for long."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not wait_for_end(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("strict",),
        ("lax", "1", "1"),
        ("strict", "0", "1"),
        ("strict", "1", "x"),
        ("none", "1", "1", "--x"),
    ],
)
def test_a_wrong_command_line_is_refused(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([*COMMAND, *arguments], input=b"", capture_output=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (os.EX_USAGE, b"")
    assert b"usage: python -m flowcage.child.checker" in done.stderr
