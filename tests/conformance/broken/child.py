"""Usage: python -m tests.conformance.broken.child ID: flowcage's child, broken as the mutant of the check."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

from flowcage.child import __main__ as program
from flowcage.child import session
from flowcage.child.sandbox.realm import Realm
from flowcage.child.session import Reply

from .mutant import Turn
from .mutants import MUTANTS

MUTANT = MUTANTS[sys.argv[1]]


class BrokenSession(session.Session):
    """The real session behind the mutant."""

    _past: list[Turn]
    _lines_left: list[bytes]
    _line = b""
    _held = b""

    def receive(self, data: bytes) -> Iterator[Reply]:
        if not hasattr(self, "_past"):
            self._past, self._lines_left = [], []
        if not data:
            return iter(self._left(list(super().receive(b"")), ended=True))
        self._lines_left += self._lines(data)
        return self._answers()

    def _replies_above_engine(self, realm: Realm) -> Iterator[Reply]:
        yield from self._changed(super()._replies_above_engine(realm))
        yield from self._answers()

    def _lines(self, data: bytes) -> list[bytes]:
        if MUTANT.breaks_lines is not None:
            return MUTANT.breaks_lines(data)
        self._held += data
        *lines, self._held = self._held.split(b"\n")
        return lines

    def _answers(self) -> Iterator[Reply]:
        while self._lines_left:
            self._line = self._lines_left.pop(0)
            replies = self._changed(super().receive(MUTANT.before(self._line) + b"\n"))
            yield from replies
            if replies[-1].last:
                return

    def _changed(self, replies: Iterable[Reply]) -> list[Reply]:
        """What the mutant says in place of the real answer to the current line."""
        said = list(replies)
        turn = Turn(self._line, b"".join(reply.data for reply in said), list(self._past))
        self._past.append(turn)
        if MUTANT.mutters(turn):
            os.write(2, b"by the way\n")
        last = any(reply.last for reply in said)
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
