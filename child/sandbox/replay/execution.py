"""An execution that can be brought where another one was: `replay` carries out many turns in one message.

What a turn has queued is taken before the next one begins, so that a turn cannot settle it unseen, and so
that it does not count against the limits of the next. A turn after which the run is not simply pending is
answered alone, by what a `drain` says then. Where it follows others, these are answered first, and the host
sends it again, because it can only see that turns are left; `_ahead` remembers that it is carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowcage.child.engine.context import integer
from flowcage.child.sandbox.crossing import UsualLine, ids_of_turn, open_replay, settle_next
from flowcage.child.sandbox.execution import Execution
from flowcage.child.sandbox.realm import Realm
from flowcage.child.sandbox.replay.gathered import Gathered
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import Resolve


class Replaying(Execution):
    """As `Execution`."""

    def __init__(self, realm: Realm) -> None:
        super().__init__(realm)
        self._gathered: Gathered | None = None  # by a `replay` that is being carried out
        self._ahead: list[str] = []  # ids of a turn that is carried out and was not answered

    def replay(self, turns: Sequence[Sequence[Resolve]]) -> str:
        """As so many `advance` with one turn each, answered together, as far as that is possible."""
        if self._gathered is None:
            self._open_replay(turns)
        return self._replay(self._settle_next, lambda number: [each.id for each in turns[number]])

    def replay_line(self, line: UsualLine) -> str | None:
        """As `replay`, for a line; None where it is not in order, and nothing was changed."""
        if self._is_over or self._ahead:
            return None
        if not self._in_step(open_replay, self._realm, line) and self._failure is None:
            return None
        # Carried out again above the engine, it has nothing left to settle.
        self._gathered, self._turns = Gathered(self._realm.max_message_bytes), [[]]
        return self._replay(self._settle_next_of_line, lambda number: ids_of_turn(line, number))

    def _open_replay(self, turns: Sequence[Sequence[Resolve]]) -> None:
        self._turns = list(map(list, turns))
        if self._ahead == [each.id for each in turns[0]]:
            self._turns[0] = []
        else:
            try:
                self._refuse_unknown(0)
            except ErrorReply:
                self._turns = []
                raise
        self._gathered, self._ahead = Gathered(self._realm.max_message_bytes), []

    def _replay(self, settle_next: Callable[[], bool], ids_of: Callable[[int], list[str]]) -> str:
        """Carry out turns until none is left, enough is gathered, or one is to be answered alone."""
        gathered = self._gathered
        assert gathered is not None
        try:
            while not gathered.is_full and settle_next():
                self._step()
                if text := "" if self._is_over else self._hand_out("gather", integer(gathered.room)):
                    gathered.add(text)
                elif gathered.turns:
                    self._ahead = ids_of(gathered.turns)
                    break
                else:
                    return self._alone()
        finally:
            self._gathered, self._turns = None, []
        return gathered.answer()

    def _alone(self) -> str:
        """The answer to the only turn that was carried out."""
        if self._failure is not None:
            self._hand_out("forgetTurn")
        count = self._hand_out("countRequests") or "0"
        return f'{self._drained()[:-1]},"counts":[{count}]}}'

    def _settle_next(self) -> bool:
        assert self._gathered is not None
        if not self._turns or (self._gathered.turns and self._failure is None and self._has_unknown()):
            return False
        while self._turns[0]:
            self._settle(self._turns[0][0])
            del self._turns[0][0]
        del self._turns[0]
        return True

    def _has_unknown(self) -> bool:
        try:
            self._refuse_unknown(0)
        except ErrorReply:
            return True
        return False

    def _settle_next_of_line(self) -> bool:
        return bool(self._in_step(settle_next, self._realm)) or self._failure is not None
