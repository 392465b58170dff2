"""Children of one zygote that answer the same line: the first go the long way, later ones are prepared."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from flowcage.host.process.launch.greeting import initialize_message
from flowcage.protocol.connection import HostConnection
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Isolation

from ..host.zygote import COMMAND, Child, Zygote

# Forks before the first one of a prepared child.
FIRST = 3
# A fixed address space: the usual one depends on what the zygote has mapped.
LIMITS = Limits(address_space_bytes=1 << 30)
# A zygote that is changed first, by lines of Python in the place of `CHANGE`.
_CHANGED = """
import os
from flowcage.child import prepared, zygote
from flowcage.child.cage import plan
CHANGE
zygote.main()
"""
# Has prepared children say so on stderr, before anything else; no trial child, whose answer it would be.
SAYING = """
live, own = prepared.Prepared.live, os.getpid()
def say(self):
    if os.getppid() != own:
        os.write(5, b"prepared")
    live(self)
prepared.Prepared.live = say
"""


class Told(NamedTuple):
    """A child, and how it answered its first message."""

    child: Child
    reply: bytes
    said: bytes


def line(limits: Limits = LIMITS, isolation: Isolation | None = None, version: str = "1.0") -> bytes:
    """An `initialize` request."""
    return HostConnection().send(initialize_message(limits, isolation, version))


def changed(change: str) -> tuple[str, ...]:
    """The command of a zygote that is changed before it starts."""
    return (*COMMAND[:-1], COMMAND[-1].rpartition("from ")[0] + _CHANGED.replace("CHANGE", change))


@contextmanager
def zygote(command: Sequence[str] = COMMAND, *options: str) -> Iterator[Zygote]:
    """A zygote of its own."""
    started = Zygote(command, *options)
    try:
        yield started
    finally:
        started.end()


@contextmanager
def forked(zygote: Zygote, message: bytes) -> Iterator[Told]:
    """A child that has answered; it is killed at the end of the block."""
    child = zygote.fork(message)
    try:
        reply = os.read(child.stdout, 1 << 16)
        os.set_blocking(child.stderr, False)
        try:
            said = os.read(child.stderr, 1 << 16)
        except BlockingIOError:
            said = b""
        yield Told(child, reply, said)
    finally:
        for descriptor in (child.stdin, child.stdout, child.stderr):
            os.close(descriptor)
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)


def prepare(zygote: Zygote, message: bytes) -> None:
    """Have it fork children until the next one is prepared."""
    for _ in range(FIRST):
        with forked(zygote, message):
            pass


# Memory, switches of the processor, and pending signals of all processes of a user.
_VARIES = re.compile(r"Vm|Rss|Huge|\w*ctxt|Pid|State|SigQ")


def state(pid: int) -> dict[str, str]:
    """What the kernel tells of a process, with its own id replaced, and without what varies by itself."""
    status = Path(f"/proc/{pid}/status").read_text()
    kept = [each for each in status.splitlines() if not _VARIES.match(each)]
    found = {each.partition(":")[0]: each.partition(":")[2].strip() for each in kept}
    for name in ("limits", "uid_map", "gid_map", "oom_score_adj", "cgroup"):
        found[name] = Path(f"/proc/{pid}/{name}").read_text()
    if os.geteuid() == 0:
        found |= _links(pid)
    found["group, session"] = f"{os.getpgid(pid)}, {os.getsid(pid)}"
    found["niceness"] = str(os.getpriority(os.PRIO_PROCESS, pid))
    found["owner"] = str(os.stat(f"/proc/{pid}/environ").st_uid)
    return {name: _without(pid, value) for name, value in found.items()}


def _links(pid: int) -> dict[str, str]:
    """What is behind the links of a process, which only root may follow where it is not dumpable."""
    found = {"cwd": os.readlink(f"/proc/{pid}/cwd")}
    for name in os.listdir(f"/proc/{pid}/ns"):
        is_zygotes = os.readlink(f"/proc/{pid}/ns/{name}") == os.readlink(f"/proc/{os.getsid(pid)}/ns/{name}")
        found[f"ns/{name}"] = "that of the zygote" if is_zygotes else "its own"
    for name in os.listdir(f"/proc/{pid}/fd"):
        found[f"fd/{name}"] = re.sub(r"\d+", "", os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


def _without(pid: int, text: str) -> str:
    """A text with words for the process's id and its user id."""
    return re.sub(rf"\b{2_000_000_000 + pid}\b", "USER", re.sub(rf"\b{pid}\b", "PID", text))
