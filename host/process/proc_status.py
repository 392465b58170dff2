"""The kernel's view of a child that reports a closed cage. It is read before any source is sent."""

from __future__ import annotations

import errno
import os
import re

from flowcage.host.outcome.errors import IsolationUnavailable, LaunchFailed, ProtocolViolation
from flowcage.host.process.launch.launcher import not_launched

# proc(5), /proc/PID/status. Capability sets are in hexadecimal.
_EXPECTED = {
    b"Seccomp": b"2",
    b"NoNewPrivs": b"1",
    b"Threads": b"1",
    b"CapEff": b"0000000000000000",
    b"CapPrm": b"0000000000000000",
}
# The same at once, for a usual child; a name with a line break in it is written with an escape.
_CAGED = re.compile(
    rb"\nThreads:\t1\n(?:.*\n)*?CapPrm:\t0{16}\nCapEff:\t0{16}\n(?:.*\n)*?NoNewPrivs:\t1\nSeccomp:\t2\n"
)
_MAX_BYTES = 64 * 1024
_LINE = re.compile(rb"^(\w+):\t(.*)$", re.MULTILINE)


def require_cage(pid: int) -> None:
    """Check that a process has the filter, privileges, threads and capabilities of strict isolation.

    Raises:
        ProtocolViolation: the kernel does not confirm what the child reported.
        IsolationUnavailable: /proc/PID/status cannot be read.
        LaunchFailed: no descriptor is left to read it with, or the process is a wrapper around the child.
    """
    try:
        status = _status(pid)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise not_launched("no child could be started", error) from error
        raise IsolationUnavailable(
            f"strict isolation cannot be verified: /proc/{pid}/status: {error.strerror}; mount /proc without "
            "hidepid, or pass isolation=best_effort (--cage best_effort) to run without the check"
        ) from None
    if (difference := why_not_caged(status)) is not None:
        if _is_wrapper(pid, status):
            raise LaunchFailed(_not_the_child(pid, status, difference))
        raise ProtocolViolation(f"the child claims a cage that the kernel does not confirm: {difference}")


def _is_wrapper(pid: int, status: bytes) -> bool:
    """Whether a process without a cage has started the child instead of being it."""
    # setsid without --wait has exited and is a zombie by now, while the child that it started answered.
    if _lines(status).get(b"State", b"").startswith(b"Z"):
        return True
    import psutil

    try:
        return bool(psutil.Process(pid).children())
    except psutil.Error:
        return False


def _not_the_child(pid: int, status: bytes, difference: str) -> str:
    comm = _lines(status).get(b"Name", b"").decode("utf-8", "replace")
    return (
        f"the launcher started process {pid} ({comm!r}), which is not the caged child itself ({difference}) "
        "but probably a wrapper such as sh -c, setsid or timeout; have it execute the child in its place "
        "(sh -c 'exec …'), or pass isolation=best_effort (--cage best_effort) to run without the check"
    )


def _status(pid: int) -> bytes:
    descriptor = os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _MAX_BYTES)  # proc(5): a file of /proc comes whole in a read that has room
    finally:
        os.close(descriptor)


def why_not_caged(status: bytes) -> str | None:
    """The first member of a /proc/PID/status that differs from a caged process's; None if none does."""
    if _CAGED.search(status):
        return None
    found = _lines(status)
    for name, expected in _EXPECTED.items():
        if (value := found.get(name, b"missing")) != expected:
            return f"{name.decode()} is {value.decode('ascii', 'replace')}, not {expected.decode()}"
    return None


def _lines(status: bytes) -> dict[bytes, bytes]:
    return dict(_LINE.findall(status))
