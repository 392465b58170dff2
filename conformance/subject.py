"""Children under test: the command is started anew for each check, once it has answered at all."""

from __future__ import annotations

from collections.abc import Sequence

from flowcage.conformance.check import Check, Deviation, Unfit, shown
from flowcage.conformance.conversation import line
from flowcage.conformance.peer import ChildPeer
from flowcage.conformance.process import Program
from flowcage.protocol import strictjson

_FIRST_BYTES = 200


class ChildSubject:
    """Starts a child for each check.

    Args:
        command: program and arguments.
        timeout: seconds for one exchange.
    """

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._command = command
        self._timeout = timeout

    def attempt(self, check: Check[ChildPeer]) -> None:
        """Run one check.

        Raises:
            Deviation: it failed.
        """
        program = Program(self._command, self._timeout)
        try:
            check.run(ChildPeer(program))
        except Deviation as deviation:
            raise program.told(deviation) from None
        finally:
            program.end()

    def require(self) -> None:
        """Send one request, to find out whether the command answers with a JSON-RPC reply.

        Raises:
            Unfit: it does not.
            CannotStart: the program does not exist or cannot be executed.
        """
        program = Program(self._command, self._timeout)
        try:
            program.send(line("conformance/hello", {}))
            said, why = _first_line(program)
            if not _is_reply(said):
                first = shown(said[:_FIRST_BYTES])
                raise Unfit(f"{why}: the first bytes of stdout are {first}; {program.how_it_ended()}")
        finally:
            program.end()


def _first_line(program: Program) -> tuple[bytes, str]:
    try:
        found = program.read_line()
    except Deviation as silence:
        return bytes(program.stdout), str(silence)
    if found is None:
        return bytes(program.stdout), "stdout ended without a line"
    return found, "the first line is no JSON-RPC reply"


def _is_reply(data: bytes) -> bool:
    try:
        reply = strictjson.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(reply, dict) and ("result" in reply or "error" in reply)
