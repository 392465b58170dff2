"""The kit's driver for tests of flowcage's own child: whole runs, and an end that must be clean."""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import Any, Self

from flowcage.conformance.check import expect
from flowcage.conformance.conversation import Refused as Refused
from flowcage.conformance.peer import ChildPeer
from flowcage.conformance.process import Program
from flowcage.host.process.launch import switches

from ..host import zygote

PROGRAM = (sys.executable, "-I", "-m", "flowcage.child")
COMMAND = (*PROGRAM, *switches.child_options())
DEADLINE_S = 120.0  # only a child that hangs gets there: five seconds of CPU take long on a busy machine


class ChildProcess(ChildPeer):
    """One child. Leaving its ``with`` block shuts it down and asserts a clean end.

    Args:
        command: what starts it; None forks it, where tests/conftest.py has a zygote. Tests of how a child
            starts, and of what two of them have in common, give `COMMAND`.
        options: more for `subprocess.Popen`.
    """

    def __init__(self, command: tuple[str, ...] | None = None, **options: Any) -> None:
        as_given = command is not None or options or zygote.at_work() is None
        kind = Program if as_given else zygote.Forked
        super().__init__(
            kind(command or COMMAND, DEADLINE_S, **{"start_new_session": False, **options}), None
        )
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self._over:
                self.request("shutdown")
                self.expect_exit()
        finally:
            self.program.end()

    def over(self) -> None:
        """Expect no shutdown of it: it, or what was between us, has ended."""
        self._over = True

    def expect_exit(self) -> None:
        """It must leave on its own accord, with status 0, and say nothing more, nor anything on stderr."""
        super().expect_exit()
        expect("stderr", self.program.stderr, b"")
        self.over()

    def send_request(
        self, method: str, params: Any = None, identifier: Any = None, *, raw: bool = True
    ) -> Any:
        """As the kit's, with all characters as they are."""
        return super().send_request(method, params, identifier, raw=raw)

    def next_line(self) -> bytes:
        """The next line; no object in it has two members of one name (RFC 8259, 4)."""
        line = super().next_line()
        json.loads(line, object_pairs_hook=_no_name_twice)
        return line

    # ---- whole runs ----

    def result_of(self, source: str, **params: Any) -> Any:
        """The result of a workflow that asks the host for nothing."""
        self.start(source, **params)
        return self.result()

    def logs_of(self, source: str, **params: Any) -> list[Any]:
        """What a workflow logged until it stopped; one list of values for each call."""
        self.start(source, **params)
        return [call["values"] for call in self.drain()["calls"]]

    def failure_of(self, source: str, **params: Any) -> Refused:
        """The error that a workflow ends with, at its start or later."""
        try:
            self.start(source, **params)
        except Refused as refusal:
            return refusal
        return self.failure()

    def failure(self) -> Refused:
        """The error that the running workflow ends with; what it queued before is handed out first."""
        try:
            drained = self.drain()
            assert drained["calls"] or drained["requests"], f"no failure: {drained}"
            drained = self.drain()
        except Refused as refusal:
            return refusal
        raise AssertionError(f"no failure: {drained}")


def _no_name_twice(members: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(members) == len({name for name, _ in members}), members
    return dict(members)
