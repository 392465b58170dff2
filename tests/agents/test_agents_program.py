"""Running one program: its output, its failures, and that nothing of it is left behind."""

from __future__ import annotations

import errno
import fcntl
import math
import os
import select
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from flowcage.host.agents.programs.program import ProgramError, ProgramNotStarted, output_of

from ..host.left_over import descriptors_free

DEADLINE_S = 300.0
# The write keeps the pipe open until its last holder is dead; children inherit it.
ALIVE = "import os, sys, time; pulse = os.open(sys.argv[1], os.O_WRONLY); os.write(pulse, b'x')\n"
FORK = "os.set_inheritable(pulse, True); forked = os.fork()\n"


class Pulse:
    """A named pipe that a program and its children hold open for as long as one of them lives."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "pulse"
        os.mkfifo(self.path)
        self._reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    async def wait_started(self) -> None:
        await trio.lowlevel.wait_readable(self._reader)
        assert os.read(self._reader, 100)

    def assert_all_dead(self) -> None:
        poll = select.poll()
        poll.register(self._reader)
        at_end = False
        while not at_end:
            assert poll.poll(DEADLINE_S * 1000), "somebody holds the pipe, and so is alive"
            at_end = os.read(self._reader, 100) == b""
        os.close(self._reader)


def python(code: str, *words: object) -> list[str]:
    return [sys.executable, "-I", "-c", code, *map(str, words)]


def run(argv: Sequence[str], stdin: bytes = b"", **limits: Any) -> bytes:
    output = within_deadline(partial(output_of, argv, stdin, **{"timeout_s": DEADLINE_S, **limits}))
    assert isinstance(output, bytes)
    return output


def within_deadline(function: Callable[[], Awaitable[Any]]) -> Any:
    """Run in trio; no child and no descriptor may be left."""

    async def bounded() -> Any:
        with trio.fail_after(2 * DEADLINE_S):
            return await function()

    before = descriptors()
    try:
        return trio.run(bounded)
    finally:
        with pytest.raises(ChildProcessError):  # there is no child, not even a zombie
            os.waitpid(-1, os.WNOHANG)
        assert descriptors() == before


def descriptors() -> list[str]:
    return sorted(os.readlink(f"/dev/fd/{name}") for name in os.listdir("/dev/fd") if is_open(int(name)))


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def failure(argv: Sequence[str], stdin: bytes = b"", **limits: Any) -> str:
    with pytest.raises(ProgramError) as caught:
        run(argv, stdin, **limits)
    return str(caught.value)


def test_stdin_goes_in_and_stdout_comes_out_byte_for_byte() -> None:
    data = bytes(range(256)) * 1000
    assert run(["cat"], data) == data


def test_the_environment_is_ours_unless_one_is_given() -> None:
    show = python("import os; print(os.environ.get('MARK'))")
    assert run(show, environment={**os.environ, "MARK": "1"}) == b"1\n"
    assert run(show) == b"None\n"


def test_a_program_that_reads_nothing_of_a_large_stdin_is_no_error() -> None:
    assert run(python("print('early')"), b"x" * 4_000_000) == b"early\n"


def test_a_program_that_closes_its_stdin_and_works_on_is_no_error() -> None:
    assert run(python("import os; os.close(0); print('late')"), b"x" * 4_000_000) == b"late\n"


def test_a_program_may_write_a_lot_to_stderr() -> None:
    assert run(python("import sys; sys.stderr.write('e' * 3_000_000); print('ok')")) == b"ok\n"


@pytest.mark.parametrize("status", [1, 3, 255])
def test_another_status_than_0_is_an_error_with_what_it_said(status: int) -> None:
    code = f"import sys; print('half'); sys.stderr.write('it broke\\n'); sys.exit({status})"
    assert failure(python(code)) == f"exited with status {status}: it broke"


def test_a_silent_failure_says_so() -> None:
    assert failure(["false"]) == "exited with status 1 and wrote nothing to stderr"


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGRTMIN + 3, f"signal {signal.SIGRTMIN + 3}")]
)
def test_a_signal_is_an_error_with_its_name(number: int, name: str) -> None:
    code = f"import os; os.kill(os.getpid(), {int(number)})"
    assert failure(python(code)) == f"was killed by {name} and wrote nothing to stderr"


def test_of_a_long_stderr_the_error_shows_the_end() -> None:
    code = "import sys; sys.stderr.write('first ' + '\\U0001f433' * 100_000 + ' last'); sys.exit(1)"
    message = failure(python(code))
    assert message.endswith("\U0001f433 last")
    assert "first" not in message
    assert "\ufffd" not in message
    assert len(message) < 2_100


def test_a_program_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    assert failure([str(tmp_path / "none")]) == "could not be started: No such file or directory"


def test_a_file_that_is_not_executable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    assert failure([str(tmp_path / "text")]) == "could not be started: Permission denied"


def test_a_file_that_is_no_program_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "text").chmod(0o755)
    assert failure([str(tmp_path / "text")]) == "could not be started: Exec format error"


def test_without_descriptors_the_error_says_what_to_do() -> None:
    with descriptors_free(8):
        message = failure(["true"])
    assert message == (
        "could not be started: Too many open files; raise the limit of open files (ulimit -n), "
        "or let fewer agents work at once (--max-agents)"
    )
    assert run(["true"]) == b""


def test_a_variable_that_is_too_large_is_an_error_that_says_so() -> None:
    with pytest.raises(ProgramNotStarted, match="more than the operating system allows") as caught:
        run(["true"], environment={"BIG": "x" * 50_000_000})
    assert caught.value.errno == errno.E2BIG


def test_a_variable_with_a_nul_is_an_error() -> None:
    assert failure(["true"], environment={"A": "a\0b"}) == "could not be started: embedded null byte"


def test_output_up_to_the_cap_is_returned_and_one_byte_more_kills(tmp_path: Path) -> None:
    assert len(run(python("print('x' * 99_999)"), max_stdout_bytes=100_000)) == 100_000
    pulse = Pulse(tmp_path)
    endless = python(ALIVE + "while True: os.write(1, b'x' * 65536)", pulse.path)
    assert failure(endless, max_stdout_bytes=100_000) == "wrote more than 100000 bytes and was killed"
    pulse.assert_all_dead()


def test_a_program_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path)
    stuck = python(ALIVE + FORK + "while True: time.sleep(1000)", pulse.path)
    assert failure(stuck, timeout_s=3) == "took longer than 3 s and was killed"
    pulse.assert_all_dead()


def test_a_program_that_ignores_sigterm_and_eof_is_killed(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1000)"
    assert failure(python(ALIVE + deaf, pulse.path), timeout_s=3) == "took longer than 3 s and was killed"
    pulse.assert_all_dead()


def test_a_child_that_a_program_leaves_behind_is_killed_and_its_output_kept(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path)
    code = ALIVE + FORK + "if forked == 0:\n  time.sleep(1000)\nprint('done')"
    assert run(python(code, pulse.path)) == b"done\n"
    pulse.assert_all_dead()


def test_a_daemon_that_left_the_group_is_killed_and_does_not_hold_the_answer_up(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path)
    # It keeps all three pipes open. Its parent waits until it is in a session of its own.
    daemon = "if forked == 0:\n  os.setsid(); os.write(out, b'x'); time.sleep(1000)"
    code = f"{ALIVE}into, out = os.pipe()\n{FORK}{daemon}\nelse:\n  os.read(into, 1); print('done')"
    assert run(python(code, pulse.path)) == b"done\n"
    pulse.assert_all_dead()


@pytest.mark.parametrize(
    "work",
    [
        "while True: time.sleep(1000)",
        "while True: pass",
        "while True: os.write(2, b'x' * 65536)",
        FORK + "while True: time.sleep(1000)",
        "os.close(1); os.close(2)\nwhile True: time.sleep(1000)",
    ],
    ids=["waits", "spins", "writes", "forks", "closes"],
)
def test_cancelling_kills_and_reaps_whatever_the_program_does(tmp_path: Path, work: str) -> None:
    pulse = Pulse(tmp_path)

    async def cancel_once_it_runs() -> bool:
        async with trio.open_nursery() as nursery:
            program = python(ALIVE + work, pulse.path)
            nursery.start_soon(partial(output_of, program, b"x" * 4_000_000, timeout_s=DEADLINE_S))
            await pulse.wait_started()
            nursery.cancel_scope.cancel()
        return nursery.cancel_scope.cancelled_caught

    assert within_deadline(cancel_once_it_runs)
    pulse.assert_all_dead()


def test_a_program_that_gives_no_sign_of_life_is_killed(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path)
    stuck = python(ALIVE + "print('once', flush=True)\nos.write(2, b'x'); time.sleep(1000)", pulse.path)
    assert failure(stuck, idle_timeout_s=3) == "gave no sign of life for 3 s and was killed"
    pulse.assert_all_dead()


@pytest.mark.parametrize("sign", ["os.write(1, b'x')", "os.write(3, b'{}\\n')"], ids=["stdout", "line"])
def test_each_sign_of_life_renews_the_limit(tmp_path: Path, sign: str) -> None:
    """Before each, most of the limit passes on the host's clock, which stands still otherwise."""
    steps, clock = tmp_path / "steps", trio.testing.MockClock()
    os.mkfifo(steps)
    code = f"import os\nsteps = os.open({str(steps)!r}, os.O_RDONLY)\nwhile os.read(steps, 1): {sign}"

    async def main() -> None:
        heard, signs = trio.open_memory_channel[object](math.inf)

        async def step() -> None:
            writer = await trio.to_thread.run_sync(os.open, steps, os.O_WRONLY)
            for _ in range(5):
                clock.jump(7)
                os.write(writer, b"x")
                await signs.receive()
            os.close(writer)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(step)
            hear = heard.send_nowait
            argv = python(code)
            await output_of(argv, b"", timeout_s=1e6, idle_timeout_s=10, on_stdout=hear, on_note=hear)

    trio.run(main, clock=clock)


def test_what_is_heard_as_it_comes_is_not_kept_and_has_the_same_cap() -> None:
    heard = bytearray()
    code = "import os\nfor _ in range(100): os.write(1, b'x' * 10_000)"
    assert run(python(code), on_stdout=heard.extend, max_stdout_bytes=1_000_000) == b""
    assert heard == b"x" * 1_000_000
    heard.clear()
    message = "wrote more than 50000 bytes and was killed"
    assert failure(python(code), on_stdout=heard.extend, max_stdout_bytes=50_000) == message
    assert len(heard) <= 50_000


def test_an_error_has_the_status_and_the_end_of_stderr() -> None:
    with pytest.raises(ProgramError) as caught:
        run(python("import os, sys; os.write(2, b'log in first'); sys.exit(7)"))
    assert (caught.value.status, caught.value.stderr) == (7, "log in first")
    with pytest.raises(ProgramError) as caught:
        run(python("import os, time; os.write(2, b'stuck'); time.sleep(1000)"), timeout_s=3)
    assert (caught.value.status, caught.value.stderr) == (None, "stuck")


def test_many_programs_run_at_once() -> None:
    async def twenty() -> list[bytes]:
        outputs: list[bytes] = []

        async def one(number: int) -> None:
            outputs.append(await output_of(["cat"], str(number).encode(), timeout_s=DEADLINE_S))

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(one, number)
        return outputs

    assert sorted(map(int, within_deadline(twenty))) == list(range(20))


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="Linux alone tells and sets what a pipe holds")
def test_the_pipe_of_stdout_holds_what_is_written_before_an_end() -> None:
    told = run(python("import fcntl; print(fcntl.fcntl(1, fcntl.F_GETPIPE_SZ))"))
    assert int(told) == 1024 * 1024


def test_no_key_is_in_an_error_nor_half_of_one_where_stderr_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "begin-0123456789-end")
    text = "begin-0123456789-end" + "." * 1_990
    message = failure(python("import sys; sys.exit(sys.argv[1])", text))
    assert message.endswith("." * 1_900)
    assert "-end" not in message
