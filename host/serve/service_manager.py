"""What systemd is told of a service that it has started (sd_notify(3)): ready, stopping, status, watchdog.

A datagram of one page of text to a socket whose name is in the environment: a dependency for it would be
longer than this file, and the package ``sdnotify`` blocks, knows no watchdog, and has had no release since
2017. Where nobody asked to be told, nothing is done.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

import trio

_LONGEST_STATUS = 500
_MOST_DIGITS = 20  # of 64 bits


class ServiceManager:
    """Whoever started this process, if it wants to be told.

    Args:
        environment: as systemd has made it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog_seconds = _watchdog_seconds(environment)

    @property
    def is_told(self) -> bool:
        """Whether somebody wants to be told."""
        return self._address is not None

    def ready(self, status: str) -> None:
        """The service answers from now on."""
        self._send("READY=1", status)

    def stopping(self, status: str) -> None:
        """It takes nothing new, and ends."""
        self._send("STOPPING=1", status)

    def status(self, status: str) -> None:
        """What ``systemctl status`` shows."""
        self._send(status=status)

    async def keep_alive(self, status: Callable[[], str] = str) -> None:
        """Tell the watchdog that the event loop turns, until cancelled; a task of the service.

        Args:
            status: is told with each sign of life; "" for none.
        """
        if self.watchdog_seconds is None:
            return
        while True:
            self._send("WATCHDOG=1", status())
            await trio.sleep(self.watchdog_seconds / 2)

    def _send(self, state: str = "", status: str = "") -> None:
        if self._address is None:
            return
        lines = [state] if state else []
        if status:
            lines.append("STATUS=" + " ".join(status.splitlines())[:_LONGEST_STATUS])
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:  # nobody listens
            sending.setblocking(False)
            sending.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)


def service_manager() -> ServiceManager:
    """Of this process. Processes that it starts from here on do not see it."""
    manager = ServiceManager(os.environ)
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        os.environ.pop(name, None)
    return manager


def _address(name: str) -> str | bytes | None:
    """A path, or an abstract socket's name, which begins with ``@``; others (vsock) are not served."""
    if name.startswith("@"):
        return b"\0" + os.fsencode(name[1:])
    return name if name.startswith("/") else None


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """How often a sign of life is wanted, sd_watchdog_enabled(3)."""
    microseconds, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if pid and pid != str(os.getpid()):
        return None
    is_number = microseconds.isascii() and microseconds.isdigit() and len(microseconds) <= _MOST_DIGITS
    return int(microseconds) / 1e6 if is_number and int(microseconds) else None
