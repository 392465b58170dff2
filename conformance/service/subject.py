"""Hosts under test: the command is started anew for each check, with a store of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from flowcage.conformance.check import Check, Deviation, Unfit, shown
from flowcage.conformance.process import Program
from flowcage.conformance.service.peer import VERSION, ServicePeer

STORE = "{store}"
_FIRST_BYTES = 200


class ServiceSubject:
    """Starts a host for each check.

    Args:
        command: program and arguments. ``{store}`` in them is replaced by the path of a file, the same for
            all hosts of one check.
        timeout: seconds for one exchange.
    """

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._command = command
        self._timeout = timeout

    def attempt(self, check: Check[ServicePeer]) -> None:
        """Run one check.

        Raises:
            Deviation: it failed.
        """
        with ExitStack() as left:
            service = self._started(left)
            try:
                check.run(service)
            except Deviation as deviation:
                raise service.program.told(deviation) from None

    def require(self) -> None:
        """Send `initialize`, to find out whether the command answers it.

        Raises:
            Unfit: it does not.
            CannotStart: the program does not exist or cannot be executed.
        """
        with ExitStack() as left:
            service = self._started(left)
            try:
                service.send_request("initialize", {"protocolVersion": VERSION}, "hello")
                service.take_reply("hello")
            except (Deviation, LookupError, TypeError) as seen:
                first = shown(bytes(service.program.stdout)[:_FIRST_BYTES])
                raise Unfit(
                    f"{seen}; unread bytes of stdout: {first}; {service.program.how_it_ended()}"
                ) from None

    def _started(self, left: ExitStack) -> ServicePeer:
        """A host, which is ended with `left`."""
        store = None
        command = list(self._command)
        if any(STORE in word for word in command):
            folder = left.enter_context(tempfile.TemporaryDirectory(prefix="flowcage-conformance-"))
            store = str(Path(folder, "runs.db"))
            command = [word.replace(STORE, store) for word in command]

        def start() -> ServicePeer:
            program = Program(command, self._timeout)
            left.callback(program.end)
            return ServicePeer(program, start if store else None)

        return start()
