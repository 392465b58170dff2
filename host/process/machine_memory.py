"""The memory of this machine or cgroup, and the private memory of a process."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def total_bytes(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """What this process and its children may use: the machine's memory, or less where a cgroup limits it.

    Args:
        cgroups: where cgroup v2 is mounted, cgroups(7). Version 1 is not read.
        own: the file that names this process's cgroup.
    """
    limits = [_number(group / "memory.max") for group in _groups(cgroups, own)]
    return min([int(psutil.virtual_memory().total), *(limit for limit in limits if limit is not None)])


def available_bytes(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """What can be used without swapping: what the machine has left, or less where a cgroup limits it."""
    left = [int(psutil.virtual_memory().available)]
    for group in _groups(cgroups, own):
        limit, used = _number(group / "memory.max"), _number(group / "memory.current")
        if limit is not None and used is not None:
            left.append(max(0, limit - used + _reclaimable(group)))
    return min(left)


def private_bytes(pid: int) -> int:
    """Resident memory of a process that is neither a file's nor shared memory; 0 once the process has ended.

    On Linux: resident minus shared pages of /proc/PID/statm, proc(5). Pages that a forked process shares with
    its parent because neither has written to them since are counted too.

    Raises:
        OSError: the figure cannot be read, for example because no descriptor is left.
    """
    resident, shared = _resident_and_shared(pid)
    return resident - shared


def resident_bytes(pid: int) -> int:
    """All resident memory (RSS) of a process; 0 once it has ended. Raises OSError as `private_bytes`."""
    return _resident_and_shared(pid)[0]


def _resident_and_shared(pid: int) -> tuple[int, int]:
    try:
        descriptor = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return (0, 0) if os.path.exists("/proc/self/statm") else (_resident_bytes_elsewhere(pid), 0)
    try:
        _, resident, shared, *_ = os.read(descriptor, 256).split()
    except ProcessLookupError:
        return 0, 0
    finally:
        os.close(descriptor)
    return int(resident) * _PAGE_BYTES, int(shared) * _PAGE_BYTES


def _resident_bytes_elsewhere(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _groups(cgroups: Path, own: Path) -> list[Path]:
    """The directories of this process's cgroup and of all above it: each may have a limit of its own."""
    with suppress(OSError):
        for line in own.read_text().splitlines():
            if line.startswith("0::/"):
                inner = Path(line.removeprefix("0::/"))
                return [cgroups / part for part in (inner, *inner.parents)]
    return []


def _number(path: Path) -> int | None:
    """The number in a cgroup's file; None if there is no file or it holds ``max``."""
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return None


def _reclaimable(group: Path) -> int:
    """Page cache that the kernel drops before it refuses an allocation."""
    with suppress(OSError):
        for line in (group / "memory.stat").read_text().splitlines():
            if line.startswith("inactive_file "):
                return int(line.split()[1])
    return 0
