"""Usage: python -m tests.conformance.broken.child ID: flowcage's child, broken as the mutant of the check."""

from __future__ import annotations

import os
import sys

from flowcage.child import __main__ as program
from flowcage.child import session
from flowcage.child.session import Reply

from .mutant import Turn
from .mutants import MUTANTS

MUTANT = MUTANTS[sys.argv[1]]


class BrokenSession(session.Session):
    """The real session behind the mutant."""

    _past: list[Turn]
    _held = b""

    def receive(self, data: bytes) -> list[Reply]:
        if not hasattr(self, "_past"):
            self._past = []
        if not data:
            return self._left(list(super().receive(b"")), ended=True)
        replies: list[Reply] = []
        for line in self._lines(data):
            replies += self._answers(line)
            if replies and replies[-1].last:
                break
        return replies

    def _lines(self, data: bytes) -> list[bytes]:
        if MUTANT.breaks_lines is not None:
            return MUTANT.breaks_lines(data)
        self._held += data
        *lines, self._held = self._held.split(b"\n")
        return lines

    def _answers(self, line: bytes) -> list[Reply]:
        replies = list(super().receive(MUTANT.before(line) + b"\n"))
        turn = Turn(line, b"".join(reply.data for reply in replies), list(self._past))
        self._past.append(turn)
        if MUTANT.mutters(turn):
            os.write(2, b"by the way\n")
        last = any(reply.last for reply in replies)
        answer = Reply(MUTANT.after(turn), last)
        return self._left([answer]) if last else [answer]

    def _left(self, replies: list[Reply], ended: bool = False) -> list[Reply]:
        how = MUTANT.ends(self._past, ended, self._held)
        if how == 0:
            return replies
        if isinstance(how, bytes):
            return [Reply(how, last=True)]
        for reply in replies:
            os.write(4, reply.data)
        while how is None:
            pass
        os._exit(how)


if __name__ == "__main__":
    session.Session = BrokenSession  # type: ignore[misc]
    del sys.argv[1:]
    program.main()
