"""What the kernel says of a child that claims to be caged: asked before it gets any source."""

from __future__ import annotations

import errno
import re

from flowcage.host.outcome.errors import IsolationUnavailable, LaunchFailed, ProtocolViolation

# proc(5), /proc/PID/status. Capability sets are in hexadecimal.
_EXPECTED = {
    b"Seccomp": b"2",
    b"NoNewPrivs": b"1",
    b"Threads": b"1",
    b"CapEff": b"0000000000000000",
    b"CapPrm": b"0000000000000000",
}
_LINE = re.compile(rb"^(\w+):\t(.*)$", re.MULTILINE)


def require_cage(pid: int) -> None:
    """Check that filter, privileges, threads and capabilities are as strict isolation has them.

    Raises:
        ProtocolViolation: the child claimed what the kernel does not confirm.
        IsolationUnavailable: there is no /proc to ask.
        LaunchFailed: no descriptor is left to ask with, or the process is a wrapper around the child.
    """
    try:
        status = _status(pid)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise LaunchFailed(f"no child could be started: {error}") from error
        raise IsolationUnavailable(
            f"strict isolation cannot be verified: /proc/{pid}/status: {error.strerror}; mount /proc without "
            "hidepid, or ask for best_effort to trust the child's word"
        ) from None
    if (difference := why_not_caged(status)) is not None:
        if _has_another_answer(pid, status):
            raise LaunchFailed(_not_the_child(pid, status, difference))
        raise ProtocolViolation(f"the child claims a cage that the kernel does not confirm: {difference}")


def _has_another_answer(pid: int, status: bytes) -> bool:
    """Whether a process without a cage is a wrapper: a caged child has no processes of its own.

    A wrapper that left at once, such as setsid without --wait, is a zombie by now.
    """
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
        "but has another process answer for it: perhaps a wrapper such as sh -c, setsid or timeout; let it "
        "execute the child in its place (sh -c 'exec …'), or pass isolation=best_effort to trust the child's "
        "word"
    )


def _status(pid: int) -> bytes:
    with open(f"/proc/{pid}/status", "rb") as file:
        return file.read()


def why_not_caged(status: bytes) -> str | None:
    """The first line of a /proc/PID/status that is not as the cage makes it; None where all are."""
    found = _lines(status)
    for name, expected in _EXPECTED.items():
        if (value := found.get(name, b"missing")) != expected:
            return f"{name.decode()} is {value.decode('ascii', 'replace')}, not {expected.decode()}"
    return None


def _lines(status: bytes) -> dict[bytes, bytes]:
    return dict(_LINE.findall(status))
