"""One check in a process of its own, in the child's cage: started, asked once, killed, reaped, charged.

The process is `flowcage.child.checker`. It gets the task when the kernel has confirmed its cage. Its reply is
untrusted: a schema may have taken over the validator.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

import trio

from flowcage._child_command import child_command
from flowcage.host.agents.errors import AgentError
from flowcage.host.outcome.errors import FlowcageError
from flowcage.host.outcome.measured import Ended
from flowcage.host.process.child_process import ChildProcess
from flowcage.host.process.launch.spawn import spawn
from flowcage.host.process.proc_status import require_cage
from flowcage.protocol import strictjson
from flowcage.protocol.limits import MIB
from flowcage.protocol.messages import Isolation

# Loading takes a twentieth of a second, and schemas as people write them take less than that.
CPU_SECONDS = 2
# Twice what a schema and a value of 8 MiB take.
ADDRESS_SPACE_BYTES = 384 * MIB
# CPU is the limit of a check; this one is for a process that is stopped, and long because of busy machines.
WALL_SECONDS = 120.0
# Checks of one tenant at once. They leave a core to others where there is more than one.
AT_ONCE = max(1, min(2, (os.cpu_count() or 1) - 1))
COMMAND = child_command("flowcage.child.checker", "flowcage.child.checker.__main__")
# Runs come first. Set by the host, because loading is most of a check, and the cage lowers the priority only
# after.
NICENESS = 10
_READY = b"ready\n"
# An explanation has at most `_MAX_TEXT` characters, each at most six bytes of JSON.
_MAX_REPLY_BYTES = 16 * 1024
_MAX_TEXT = 2_000
# From the end of stdout to that of the process, so that its own exit status is seen.
_EXIT_SECONDS = 5.0


class SchemaRefused(AgentError):
    """The call's schema is invalid, or costs more than a check may; a retry would end the same way."""


@dataclass(frozen=True)
class Checker:
    """Starts checks for one run.

    Attributes:
        slots: shared with the tenant's other runs.
        isolation: of the run.
        process: a block around each process, made from its id and the memory in bytes that it inherited.
        charge_cpu: called with the CPU seconds of each process, from wait4(2).
        command: of the process, before its arguments.
    """

    slots: trio.CapacityLimiter
    isolation: Isolation | None
    process: Callable[[int, int], AbstractContextManager[None]]
    charge_cpu: Callable[[float], None]
    command: tuple[str, ...] = COMMAND

    async def problem(self, task: bytes) -> str | None:
        """Check a schema, or a value against one.

        Args:
            task: a JSON object of ``schema`` and perhaps ``value``.

        Returns:
            Why the value is not an instance; None where it is, or where there was no value.

        Raises:
            SchemaRefused: the schema is invalid or too expensive.
            AgentError: the check could not be done.
        """
        async with self.slots:
            said, ended, late = await self._run(task)
        if late:
            raise _failed(f"it took longer than {WALL_SECONDS:g} s")
        if len(said) > _MAX_REPLY_BYTES:
            raise _failed("its process sent more than a reply can have")
        if (why := _why_ended(ended)) is not None:
            raise SchemaRefused(f"options.schema could not be applied: {why}")
        return _result(said.removeprefix(_READY))

    async def _run(self, task: bytes) -> tuple[bytes, Ended, bool]:
        """What the process sent, how it ended, and whether `WALL_SECONDS` had passed."""
        try:
            process = ChildProcess(spawn(self._argv()))
        except (FlowcageError, OSError) as error:
            raise _failed(f"no process could be started for it: {error}") from None
        _lower_priority(process.pid)
        said = b""
        with self.process(process.pid, 0):
            try:
                with trio.move_on_after(WALL_SECONDS) as clock:
                    said = await self._converse(process, task)
                    if len(said) <= _MAX_REPLY_BYTES:
                        await process.wait(_EXIT_SECONDS)
            finally:
                ended = await process.close(kill=True)
                self.charge_cpu(ended.cpu_seconds)
        return said, ended, clock.cancelled_caught

    def _argv(self) -> tuple[str, ...]:
        limits = (str(CPU_SECONDS), str(ADDRESS_SPACE_BYTES))
        return (*self.command, self._level, *limits, "--die-with", str(os.getpid()))

    @property
    def _level(self) -> Isolation:
        return self.isolation or ("strict" if sys.platform == "linux" else "best_effort")

    async def _converse(self, process: ChildProcess, task: bytes) -> bytes:
        """Read everything that the process sends, up to a little more than a reply can have."""
        said = await _read(process, b"", until=b"\n")
        if said != _READY:
            return said
        if self._level == "strict":
            self._require_cage(process.pid)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_feed, process, task)
            said = await _read(process, said)
            nursery.cancel_scope.cancel()
        return said

    def _require_cage(self, pid: int) -> None:
        try:
            require_cage(pid)
        except FlowcageError as error:
            raise _failed(str(error)) from None


def _lower_priority(pid: int) -> None:
    with suppress(OSError):  # the process has ended already
        os.setpriority(os.PRIO_PROCESS, pid, os.nice(0) + NICENESS)  # setpriority(2) lowers it to 19 at most
    # Where the kernel groups processes by session (sched(7), autogroup), only the group's weight counts.
    with suppress(OSError), open(f"/proc/{pid}/autogroup", "wb", buffering=0) as file:
        file.write(b"%d" % NICENESS)


async def _feed(process: ChildProcess, task: bytes) -> None:
    await process.write(task)
    process.close_stdin()


async def _read(process: ChildProcess, said: bytes, until: bytes | None = None) -> bytes:
    """Read on until `until` has come, the end of stdout, or more than a reply can have."""
    while len(said) <= _MAX_REPLY_BYTES and not (until and until in said):
        piece = await process.read()
        if not piece:
            break
        said += piece
    return said


def _why_ended(ended: Ended) -> str | None:
    """Why a process that ended gave no reply; None where it exited with status 0."""
    if ended.exit_code == 0:
        return None
    if ended.signal == signal.SIGXCPU.name or ended.cpu_seconds >= CPU_SECONDS:
        return f"checking it takes more than {CPU_SECONDS} s of CPU, the most that one check may use"
    if ended.signal == signal.SIGABRT.name:
        mib = ADDRESS_SPACE_BYTES // MIB
        return f"checking it takes more than {mib} MiB of memory, the most that one check may use"
    how = f"was killed by {ended.signal}" if ended.signal else f"exited with status {ended.exit_code}"
    return f"its process {how}"


def _result(reply: bytes) -> str | None:
    """The result that a reply holds, as `Checker.problem` returns it.

    Raises:
        SchemaRefused, AgentError: the reply is an error, or cannot be read.
    """
    try:
        [(kind, text)] = strictjson.loads(reply).items()
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise _failed("its process gave no reply that can be read") from None
    if kind == "problem" and text is None:
        return None
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        raise _failed("its process gave no reply that can be read")
    if kind == "problem":
        return text
    if kind == "error":
        raise SchemaRefused(text)
    raise _failed(text if kind == "isolation" else "its process gave no reply that can be read")


def _failed(why: str) -> AgentError:
    return AgentError(f"options.schema could not be applied: {why}")
