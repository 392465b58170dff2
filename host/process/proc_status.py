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
        LaunchFailed: no descriptor is left to ask with.
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
        raise ProtocolViolation(f"the child claims a cage that the kernel does not confirm: {difference}")


def _status(pid: int) -> bytes:
    with open(f"/proc/{pid}/status", "rb") as file:
        return file.read()


def why_not_caged(status: bytes) -> str | None:
    """The first line of a /proc/PID/status that is not as the cage makes it; None where all are."""
    found = dict(_LINE.findall(status))
    for name, expected in _EXPECTED.items():
        if (value := found.get(name, b"missing")) != expected:
            return f"{name.decode()} is {value.decode('ascii', 'replace')}, not {expected.decode()}"
    return None
