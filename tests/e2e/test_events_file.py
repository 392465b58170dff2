"""``--events FILE`` where the file is a pipe: its reader may be slow, absent or gone, and the run goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .command import DEADLINE, FLOWCAGE

# More than a pipe holds.
MANY_LOGS = 'for (let i = 0; i < 100; i++) log("x".repeat(10_000));'


@contextmanager
def command(tmp_path: Path, source: str, *words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run that writes its events into the pipe ``events``; its ``agent()`` waits until ``gate`` is read."""
    for name in ("events", "gate"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "w.js").write_text(source)
    (tmp_path / "agent.py").write_text(f"open({str(tmp_path / 'gate')!r}, 'w').close(); print('ok')")
    agent = f"command:{sys.executable} -S {tmp_path / 'agent.py'}"
    line = [FLOWCAGE, "run", tmp_path / "w.js", "--events", tmp_path / "events", "--agent", agent, *words]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = threading.Timer(DEADLINE, process.kill)  # whoever reads from it would wait for ever
        deadline.start()
        try:
            yield process
        finally:
            deadline.cancel()
            process.kill()


def types(lines: list[str]) -> list[str]:
    return [json.loads(line)["type"] for line in lines]


def finish(process: subprocess.Popen[bytes]) -> tuple[int, Any, str]:
    stdout, stderr = process.communicate(timeout=DEADLINE)
    assert b"Traceback" not in stderr
    return process.returncode, stdout, stderr.decode()


def test_a_slow_reader_does_not_hold_up_the_run_and_gets_everything(tmp_path: Path) -> None:
    source = MANY_LOGS + 'export default agent("x")'
    with command(tmp_path, source, "--quiet") as process, (tmp_path / "events").open() as events:
        (tmp_path / "gate").read_text()  # the run has come to its agent, and nobody has read an event
        lines = events.readlines()
        assert finish(process)[0] == 0
    assert types(lines) == [
        "started",
        *["log"] * 100,
        "agent_queued",
        "agent_started",
        "agent_completed",
        "ended",
    ]


def test_a_reader_that_follows_sees_each_event_while_the_run_waits(tmp_path: Path) -> None:
    source = 'log("a"); export default agent("x")'
    with command(tmp_path, source, "--quiet") as process, (tmp_path / "events").open() as events:
        assert types([events.readline() for _ in range(4)]) == [
            "started", "log", "agent_queued", "agent_started",
        ]  # fmt: skip
        (tmp_path / "gate").read_text()
        assert types(events.readlines()) == ["agent_completed", "ended"]
        assert finish(process)[0] == 0


def test_a_reader_that_falls_far_behind_gets_a_gap_and_the_end(tmp_path: Path) -> None:
    source = """
        for (let i = 0; i < 12; i++) {
          for (let j = 0; j < 4; j++) log("x".repeat(1_000_000));
          await SW.extra.sleep(0);
        }
        export default agent("x")"""
    with command(tmp_path, source, "--quiet") as process, (tmp_path / "events").open() as events:
        (tmp_path / "gate").read_text()
        lines = events.readlines()
        assert finish(process)[0] == 0
    gaps = [json.loads(line)["dropped"] for line in lines if json.loads(line)["type"] == "gap"]
    assert gaps
    assert len(lines) - len(gaps) + sum(gaps) == 1 + 12 * 5 + 4
    assert types(lines)[-1] == "ended"


def test_a_reader_that_never_reads_costs_the_events_but_not_the_result(tmp_path: Path) -> None:
    with command(tmp_path, MANY_LOGS + "export default 7", "--quiet") as process:
        descriptor = os.open(tmp_path / "events", os.O_RDONLY)
        try:
            status, stdout, stderr = finish(process)
        finally:
            os.close(descriptor)
    assert status == 0
    assert json.loads(stdout)["result"] == 7
    assert f"warning: --events {tmp_path / 'events'}: its reader is too slow; some or all " in stderr


def test_a_reader_that_leaves_ends_the_run_with_a_message(tmp_path: Path) -> None:
    source = 'for (;;) { log("x"); await SW.extra.sleep(1); } export default 1'
    with command(tmp_path, source, "--quiet") as process:
        with (tmp_path / "events").open() as events:
            assert types([events.readline()]) == ["started"]
        status, stdout, stderr = finish(process)
    assert (status, json.loads(stdout)["verdict"]) == (125, "host_fault")
    assert f"--events {tmp_path / 'events'}: cannot be written: Broken pipe" in stderr


def test_a_run_that_fails_keeps_its_own_error_beside_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text('throw new Error("boom"); export default 1')
    done = subprocess.run(
        [FLOWCAGE, "run", tmp_path / "w.js", "--events", "/dev/full"],
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode in (1, 125)  # whichever was first; never neither
    assert (b"boom" in done.stderr) == (done.returncode == 1)


def test_a_pipe_that_nobody_reads_holds_up_neither_the_run_nor_its_clock(tmp_path: Path) -> None:
    with command(tmp_path, "return 7") as process:
        status, stdout, stderr = finish(process)
    assert status == 0
    assert json.loads(stdout)["result"] == 7
    assert f"note: --events {tmp_path / 'events'}: this pipe has no reader yet" in stderr
    assert f"warning: --events {tmp_path / 'events'}: it has no reader; some or all of the last 2 " in stderr

    (tmp_path / "w.js").write_text("for (;;) await SW.extra.sleep(10)")
    words = ["w.js", "--events", "events", "--timeout", "1", "--quiet"]
    done = subprocess.run(
        [FLOWCAGE, "run", *words], cwd=tmp_path, capture_output=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 124
    assert b"yet" not in done.stderr


def test_a_reader_that_comes_late_gets_the_events_from_the_first_on(tmp_path: Path) -> None:
    with command(tmp_path, 'log("a"); export default agent("x")') as process:
        assert process.stderr is not None
        while b"-> agent" not in (line := process.stderr.readline()):
            assert line
        with (tmp_path / "events").open() as events:
            assert types([events.readline() for _ in range(4)]) == [
                "started", "log", "agent_queued", "agent_started",
            ]  # fmt: skip
            (tmp_path / "gate").read_text()
            assert types(events.readlines()) == ["agent_completed", "ended"]
            assert finish(process)[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["w.js", "--events", "w.js"], "--events w.js is the same file as FILE w.js"),
        (["w.js", "--events", "./link"], "--events link is the same file as FILE w.js"),
        (["w.js", "--events", "hard-link"], "--events hard-link is the same file as FILE w.js"),
        (["link", "--events", "w.js"], "--events w.js is the same file as FILE link"),
        (["w.js", "--args-file", "a.json", "--events", "a.json"], "is the same file as --args-file a.json"),
        (["w.js", "--limits", "l.json", "--events", "l.json"], "is the same file as --limits l.json"),
        (["-", "--events", "w.js"], "is the same file as FILE -"),
        (["w.js", "--events", "out"], "--events out is the file that stdout goes to"),
        (["w.js", "--events", "err"], "--events err is the file that stderr goes to"),
        (["w.js", "--events", "/dev/stdout"], "--events /dev/stdout is the file that stdout goes to"),
    ],
)
def test_events_do_not_overwrite_what_was_read_nor_the_other_outputs(
    tmp_path: Path, words: list[str], message: str
) -> None:
    texts = {"w.js": "return 1", "a.json": '{"a": 1}', "l.json": "{}"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "link").symlink_to("w.js")
    (tmp_path / "hard-link").hardlink_to(tmp_path / "w.js")
    with (
        (tmp_path / "w.js").open() as stdin,
        (tmp_path / "out").open("w") as out,
        (tmp_path / "err").open("w") as err,
    ):
        done = subprocess.run(
            [FLOWCAGE, "run", *words],
            cwd=tmp_path,
            stdin=stdin,
            stdout=out,
            stderr=err,
            timeout=DEADLINE,
            check=False,
        )
    assert done.returncode == 2
    assert message in (tmp_path / "err").read_text()
    assert {name: (tmp_path / name).read_text() for name in texts} == texts


@pytest.mark.parametrize("events", ["/dev/null", "/dev/stdout", "/dev/stderr", "new", "old"])
def test_events_may_go_to_a_device_to_a_pipe_and_over_an_old_file(tmp_path: Path, events: str) -> None:
    (tmp_path / "w.js").write_text("return 1")
    (tmp_path / "old").write_text("x" * 10_000)
    words = ["w.js", "--events", events, "--quiet"]
    done = subprocess.run(
        [FLOWCAGE, "run", *words], cwd=tmp_path, capture_output=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stderr
    streams = {"/dev/stdout": done.stdout, "/dev/stderr": done.stderr}
    if events != "/dev/null":
        lines = (streams[events] if events in streams else (tmp_path / events).read_bytes()).splitlines()
        assert [json.loads(line).get("type") for line in lines if b'"at"' in line] == ["started", "ended"]
