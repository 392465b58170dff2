"""What a child inherits from a careless starter, and how it gets rid of it."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .caged import Caged, circumstance
from .child_process import COMMAND, DEADLINE_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

SECRET = "sk-inherited-secret"
BURNS_WHERE_NO_INTERRUPT_IS_ASKED = "[].reverse.call({length: 2 ** 53 - 1})"


def everywhere(pid: int) -> bytes:
    """All memory of a process that can be read."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            low, high, readable = re.match(r"(\w+)-(\w+) (.)", line).groups()  # type: ignore[union-attr]
            if readable == "r" and "[v" not in line:  # not the kernel's own pages: [vvar], [vsyscall]
                memory.seek(int(low, 16))
                found.append(memory.read(int(high, 16) - int(low, 16)))
    return b"".join(found)


def test_no_secret_of_the_environment_is_left_in_memory_when_the_child_first_answers() -> None:
    with Caged(env={**os.environ, "API_KEY": SECRET}) as process:
        pid = process.pid
        process.request_before_initialize()  # it can still be looked into
        assert SECRET not in process.proc("environ")
        memory = everywhere(pid)
        assert b"flowcage" in memory
        assert SECRET.encode() not in memory
        layer = process.enter()["isolation"]["environment"]
        assert layer["applied"], layer
        assert process.pid == pid


def test_the_installed_command_leaves_no_secret_either() -> None:
    script = Path(sys.executable).with_name("flowcage-child")
    env = {"PATH": os.environ["PATH"], "API_KEY": SECRET}
    with Caged((str(script), "--die-with", str(os.getpid())), env=env) as process:
        process.request_before_initialize()
        assert SECRET.encode() not in everywhere(process.pid)
        assert "-S" in process.proc("cmdline").split("\0")  # started without `site`
        isolation = process.enter()["isolation"]
        assert isolation["environment"]["applied"], isolation
        assert isolation["parent_death"]["applied"], isolation


def test_the_variables_that_start_an_interpreter_are_the_only_ones_kept() -> None:
    with Caged(env={"TZ": "Asia/Tokyo", "PYTHONPATH": "/nowhere", "HOME": "/root"}) as process:
        process.request_before_initialize()
        names = {entry.partition("=")[0] for entry in process.proc("environ").split("\0") if entry}
        assert "PYTHONPATH" in names
        assert "HOME" not in names
        assert "TZ=UTC0" in process.proc("environ").split("\0")


def test_the_interpreter_may_be_named_without_its_folder() -> None:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    with Caged(
        ("python3", "-I", "-m", "flowcage.child"), env={"PATH": path}, executable=sys.executable
    ) as process:
        process.enter()


def test_a_variable_that_comes_back_is_told_and_not_cleared_for_ever() -> None:
    with Caged(circumstance("late_environment"), env={}) as process:
        result = process.enter("best_effort")
        assert not result["isolation"]["environment"]["applied"]
        assert "LATE" in result["isolation"]["environment"]["detail"]


@pytest.mark.parametrize("isolation", ["strict", "none"])
def test_a_descriptor_that_was_handed_on_is_closed_whatever_the_level(isolation: str) -> None:
    reading, writing = os.pipe()
    with Caged(pass_fds=(writing,)) as process:
        os.close(writing)
        process.enter(isolation)
        # Its end comes when nobody has the other side any more.
        assert select.select([reading], [], [], DEADLINE_S)[0]
        assert os.read(reading, 1) == b""
    os.close(reading)


def test_a_descriptor_above_the_limit_of_their_number_is_closed() -> None:
    with Caged(circumstance("high_descriptor"), env={}) as process:
        layer = process.enter("best_effort")["isolation"]["descriptors"]
        assert layer["applied"], layer


def test_signals_that_were_ignored_and_blocked_are_neither() -> None:
    with Caged(circumstance("signals"), env={}) as process:
        process.request_before_initialize()
        before = process.status()
        process.enter()
        after = process.status()
    for mask in ("SigIgn", "SigBlk"):
        assert int(before[mask], 16) & 1 << (signal.SIGXCPU - 1)
    assert int(after["SigBlk"], 16) == 0
    # Writes that fail, and the two that the C library keeps for itself.
    allowed = sum(1 << (number - 1) for number in (signal.SIGPIPE, signal.SIGXFSZ, 32, 33))
    assert int(after["SigIgn"], 16) & ~allowed == 0


def test_cpu_time_ends_a_child_whose_starter_ignored_and_blocked_the_signal() -> None:
    with Caged(circumstance("signals"), env={}) as process:
        process.enter(limits={"cpuSeconds": 1, "stepTimeoutMs": 600_000})
        source = f"export default {BURNS_WHERE_NO_INTERRUPT_IS_ASKED}"
        process.send_request("start", {"source": source})
        process.send_request("drain")
        status, _, errors = process.expect_end()
        assert (status, errors) == (-signal.SIGXCPU, b"")


def test_hard_limits_that_are_lower_stay_and_the_cpus_still_tells_its_cause() -> None:
    with Caged(circumstance("low_limits"), env={}) as process:
        process.enter()
        limits = process.limits()
        assert limits["Max open files"] == ("0", "0")
        assert limits["Max cpu time"] == ("6", "7")


def test_a_stdout_that_is_a_file_is_told_and_ends_the_child_with_a_status(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as file:
        done = subprocess.run(
            COMMAND,
            input=b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"1.0"}}\n',
            stdout=file,
            stderr=subprocess.PIPE,
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode == 70
    assert b"File too large" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may ask for real-time turns")
def test_a_child_that_was_started_in_real_time_takes_ordinary_turns() -> None:
    with Caged(("chrt", "-f", "10", *COMMAND), env={"PATH": os.defpath}) as process:
        process.enter()
        assert os.sched_getscheduler(process.pid) == os.SCHED_OTHER


def after(limits: str) -> tuple[str, ...]:
    return ("sh", "-c", f'{limits}; exec "$@"', "sh", *COMMAND)


def test_a_small_stack_is_widened_for_what_the_engine_may_use() -> None:
    with Caged(after("ulimit -S -s 512"), env={"PATH": os.defpath}) as process:
        process.enter()
        source = "const dig = (n) => dig(n + 1) + 1; try { dig(0); } catch (e) { log(e.name); }"
        process.start(f"{source} export default 1")
        assert process.drain()["calls"] == [{"type": "log", "values": ["RangeError"]}]


def test_the_effective_limits_are_what_the_kernel_holds() -> None:
    with Caged(after("ulimit -v 250000; ulimit -t 5"), env={"PATH": os.defpath}) as process:
        limits = process.enter()["limits"]
        held = process.limits()
        assert limits["addressSpaceBytes"] == int(held["Max address space"][0]) == 250_000 * 1024
        assert 1 <= limits["cpuSeconds"] < 5
