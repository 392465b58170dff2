"""Handlers, listeners and machines that fail: one typed outcome, and nothing left behind."""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    CannotSend,
    ChildDied,
    HandlerFailed,
    Host,
    LaunchFailed,
    RequestRejected,
    RunOptions,
    RunTimedOut,
    WorkflowFailed,
    check_workflow,
    run_workflow,
    run_workflow_blocking,
)
from flowcage.host.events.records import Event, RunEnded, RunStarted
from flowcage.host.process.child_process import ChildProcess
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.workflows.child_workflows import ChildWorkflows

from ..host.children import Launcher
from ..host.left_over import descriptors_free, nothing_left
from ..host.runs import overdue


def run(source: str, **options: Any) -> Any:
    launcher = Launcher()
    try:
        return run_workflow_blocking(source, options=RunOptions(launcher=launcher, **options)).result
    finally:
        launcher.assert_nothing_left()


async def untidy(_call: AgentCall) -> AgentAnswer:
    """Ends, when it is cancelled, with an error of its own beside the cancellation."""
    async with trio.open_nursery():
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("untidy")


def test_a_handler_that_fails_while_it_is_cancelled_does_not_cost_the_result() -> None:
    assert run('agent("x"); await SW.extra.sleep(5); export default 1', agent=untidy) == 1


def test_a_handler_that_fails_while_it_is_cancelled_does_not_hide_the_timeout() -> None:
    assert isinstance(overdue('export default agent("x")', agent=untidy), RunTimedOut)


def test_a_handler_whose_nursery_fails_is_named() -> None:
    async def broken(_call: AgentCall) -> AgentAnswer:
        async with trio.open_nursery():
            raise KeyError("inside")

    with pytest.raises(HandlerFailed) as caught:
        run('export default agent("x")', agent=broken)
    assert isinstance(caught.value.__cause__, ExceptionGroup)


def test_the_child_is_killed_at_the_deadline_and_not_after_its_handlers() -> None:
    launcher = Launcher()
    alive_at_cleanup: list[bool] = []

    async def slow_to_end(_call: AgentCall) -> AgentAnswer:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(300):
                while psutil.Process(launcher.pids[0]).status() != psutil.STATUS_ZOMBIE:
                    await trio.lowlevel.checkpoint()
                alive_at_cleanup.append(False)

    error = overdue('export default agent("x")', launcher=launcher, agent=slow_to_end)
    assert isinstance(error, RunTimedOut)
    assert alive_at_cleanup == [False]


def test_a_listener_that_raises_ends_the_run_as_a_handler_that_failed() -> None:
    def listen(_event: Event) -> None:
        raise OSError("disk full")

    with pytest.raises(HandlerFailed, match="disk full"):
        run('log("x"); export default agent("y")', listener=listen)


def test_a_listener_that_raises_at_the_end_does_not_hide_how_the_run_ended() -> None:
    def listen(event: Event) -> None:
        if isinstance(event, RunEnded):
            raise OSError("disk full")

    with pytest.raises(WorkflowFailed):
        run("export default () => { throw 1 }", listener=listen)
    assert run("export default 1", listener=listen) == 1


def test_a_deeply_nested_log_is_an_event_like_any_other() -> None:
    heard: list[Any] = []
    source = "let deep = []; for (let i = 0; i < 490; i++) deep = [deep]; log(deep); export default 1"
    assert run(source, listener=lambda event: heard.append(event.to_json())) == 1
    assert [event["type"] for event in heard] == ["started", "log", "ended"]


def test_an_integer_too_long_for_the_wire_is_a_rejection() -> None:
    async def huge(_call: AgentCall) -> AgentAnswer:
        return AgentAnswer(10**400)

    source = 'export default agent("x").catch((error) => error.message)'
    assert "too large for a double" in run(source, agent=huge)


def test_a_text_of_digits_is_no_integer() -> None:
    async def digits(_call: AgentCall) -> AgentAnswer:
        return AgentAnswer("7" * 500)

    assert run('export default agent("x")', agent=digits) == "7" * 500


def test_tokens_below_zero_are_refused_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="tokens"):
        AgentAnswer("x", tokens=-1)


def test_args_may_be_null_and_absent_args_are_an_empty_object() -> None:
    options = RunOptions(launcher=Launcher())
    assert run_workflow_blocking("export default args", args=None, options=options).result is None
    assert run_workflow_blocking("export default args", options=options).result == {}


def test_a_named_pipe_is_no_child_workflow(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.js")
    options = RunOptions(workflow=ChildWorkflows(tmp_path), timeout_seconds=300)
    source = 'export default workflow({scriptPath: "pipe.js"}).catch((error) => error.message)'
    outcome = run_workflow_blocking(source, source_name=str(tmp_path / "w.js"), options=options)
    assert "not a regular file" in outcome.result
    assert str(tmp_path) not in outcome.result


def test_the_memory_of_the_host_is_not_counted_as_the_childs() -> None:
    ballast = bytearray(os.urandom(1)) * (300 * 1024 * 1024)
    outcome = run_workflow_blocking("export default 1")
    assert len(ballast) > outcome.usage.peak_rss_bytes > 1_000_000
    assert outcome.usage.peak_rss_bytes < 150 * 1024 * 1024


def test_a_host_without_descriptors_says_so_and_leaves_no_child() -> None:
    def starve(spawned: Spawned) -> None:
        with descriptors_free(0):
            ChildProcess(spawned)

    launcher = Launcher(hear=starve)
    with pytest.raises(LaunchFailed, match="no child could be started"):
        run_workflow_blocking("export default 1", options=RunOptions(launcher=launcher))
    launcher.assert_nothing_left()


def test_a_host_whose_descriptors_run_out_while_a_child_takes_its_time_waits_for_it() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def starve(event: Event) -> None:
        none_free = isinstance(event, RunStarted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3 if none_free else soft, hard))

    source = "await 0; let n = 0; while (n < 2e7) n++; export default n"  # longer than a glance
    assert run(source, listener=starve) == 20_000_000


def test_a_program_that_lets_the_kernel_reap_still_runs_workflows() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert run_workflow_blocking("export default 1").result == 1
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_host_whose_processes_are_killed_and_reaped_by_others_goes_on() -> None:
    others = set(psutil.Process().children())

    async def main() -> None:
        with trio.fail_after(300):
            async with Host() as host:
                assert (await host.run("export default 1")).result == 1
                for _ in range(3):
                    killed = set(psutil.Process().children()) - others
                    assert killed
                    for child in killed:
                        child.kill()
                    while any(child.is_running() for child in killed):  # others may have come since
                        await trio.lowlevel.checkpoint()
                    assert (await host.run("export default 1")).result == 1

    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with nothing_left():
            trio.run(main)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_source_too_long_to_send_is_refused_for_check_as_for_run() -> None:
    source = "\n" * (8 * 1024 * 1024)
    with pytest.raises(CannotSend):
        trio.run(lambda: check_workflow(source))
    with pytest.raises(CannotSend):
        trio.run(lambda: run_workflow(source))


def test_a_meta_that_json_cannot_hold_is_a_syntax_error_of_the_workflow() -> None:
    with pytest.raises(WorkflowFailed) as caught:
        trio.run(lambda: check_workflow("export const meta = {a: 1n}; export default 1"))
    assert caught.value.kind == "syntax"
    assert caught.value.place == "workflow.js:1:21"


def test_every_interrupt_while_a_run_ends_still_leaves_no_child(tmp_path: Path) -> None:
    program = tmp_path / "host.py"
    program.write_text(INTERRUPTED_HOST)
    for delay in (0, 200, 500, 2000):
        done = psutil.Popen([sys.executable, str(program), str(delay)], stdout=-1)
        output = done.communicate(timeout=300)[0].decode()
        assert output == "interrupted, children: 0\n", (delay, output)


INTERRUPTED_HOST = """
import os, signal, sys, threading, time
import psutil
from flowcage.host import RunOptions, run_workflow_blocking

def interrupt():
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(int(sys.argv[1]) / 1e6)

def listen(_event):
    threading.Thread(target=interrupt).start()

try:
    run_workflow_blocking("for (;;);", options=RunOptions(listener=listen))
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("interrupted, children:", len(psutil.Process().children()))
"""


def test_a_rejection_by_any_handler_is_an_error_in_the_workflow() -> None:
    async def refuse(_request: Any) -> Any:
        raise RequestRejected("not here")

    source = 'export default SW.sandbox.exec("p", {command: "x"}).catch((error) => error.message)'
    assert run(source, sandbox_exec=refuse) == "not here"


def test_a_run_error_carries_its_report_whatever_it_is() -> None:
    report = overdue('log("a"); export default agent("x")', agent=untidy).report
    assert report is not None
    assert report.logs == (("a",),)
    assert report.waiting == ("1",)


def test_whoever_a_child_without_a_cage_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    left = tmp_path / "pid"
    script = tmp_path / "forks.py"
    script.write_text(
        "import os, time\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os.closerange(0, 3)\n"
        "    time.sleep(1000)\n"
        f"open({str(left)!r}, 'w').write(str(pid))\n"
    )
    launcher = Launcher((sys.executable, "-I", str(script)))
    with pytest.raises(ChildDied):
        run_workflow_blocking("export default 1", options=RunOptions(launcher=launcher, isolation="none"))
    launcher.assert_nothing_left()
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(left.read_text())).wait(300)
