"""Writes of a run's life: who has it, and how it is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flowcage.host.durable.errors import Fenced, RunHasEnded, UnknownRun
from flowcage.host.durable.records import State
from flowcage.host.durable.sql.database import Row, Rows, Scope
from flowcage.host.durable.sql.payloads import Packed, place
from flowcage.host.durable.sql.rows import encoded_rules
from flowcage.host.durable.sql.schema import escaped
from flowcage.host.durable.sql.write import Write
from flowcage.host.durable.sql.writes import require_owner
from flowcage.host.outcome.verdict import RESUMABLE
from flowcage.host.run.core.rules import Rules


class Wait(NamedTuple):
    """Why a queued run waits, and until when; `tries` is what its last life counts as one of."""

    why: str = ""
    not_before: int | None = None
    tries: int = 0


NO_WAIT = Wait()


class Claim(Write[int | None]):
    """A run gets an owner."""

    __slots__ = ("_reopen", "_run_id")

    def __init__(self, run_id: str, reopen: bool) -> None:
        super().__init__()
        self.run_id = run_id
        self._run_id, self._reopen = run_id, reopen

    def run(self, scope: Scope) -> int | None:
        state, owner, epoch = row_of(scope, self._run_id, "state, owner, epoch")
        if state in ("ended", "diverged") and not self._reopen:
            return None
        is_mine = owner == scope.owner and (self._run_id, epoch) not in scope.lost
        is_others = owner not in (None, scope.owner) and state == "running" and scope.is_alive(owner)
        if state == "running" and (is_mine or is_others):
            return None
        scope.db.execute(
            """UPDATE runs SET owner = ?, epoch = ?, state = 'running', wake_at = NULL, verdict = NULL,
            ending = NULL, held = '', takeovers = CASE WHEN state = 'ended' THEN 0 ELSE takeovers END,
            tries = CASE WHEN state = 'ended' THEN 0 ELSE tries END,
            cancel_at = CASE WHEN state = 'ended' THEN NULL ELSE cancel_at END, updated_at = ?
            WHERE run_id = ?""",
            (scope.owner, epoch + 1, scope.now, self._run_id),
        )
        return int(epoch) + 1

    def gained(self) -> list[tuple[str, int]]:
        return [] if self.value is None else [(self._run_id, self.value)]


class HoldTo(Write[bool]):
    """A run of which nothing has happened gets other rules."""

    __slots__ = ("_epoch", "_rules", "_run_id")

    def __init__(self, run_id: str, epoch: int, rules: Rules) -> None:
        super().__init__()
        self._run_id, self._epoch, self._rules = run_id, epoch, encoded_rules(rules)
        self.about = (run_id, epoch)

    def run(self, scope: Scope) -> bool:
        require_owner(scope, self._run_id, self._epoch)
        sql = "UPDATE runs SET rules = ? WHERE run_id = ? AND entries = 0"
        return bool(scope.db.execute(sql, (self._rules, self._run_id)).rowcount)


class Leave(Write[None]):
    """A run's owner leaves it, in another state."""

    __slots__ = ("_ending", "_epoch", "_packed", "_run_id", "_state", "_verdict", "_wait")

    def __init__(
        self,
        run_id: str,
        epoch: int,
        state: State,
        verdict: str | None = None,
        ending: bytes | None = None,
        wait: Wait = NO_WAIT,
    ) -> None:
        super().__init__()
        self._wait = wait
        self._run_id, self._epoch, self._state = run_id, epoch, state
        self.about = (run_id, epoch)
        self._verdict, self._ending = verdict, ending
        self._packed: Packed | None = None
        self.size = len(ending or b"")

    def prepare(self, scope: Scope) -> None:
        if self._ending is not None and self._packed is None:
            self._packed = scope.payloads.pack(self._ending, place("ending", self._run_id))

    @classmethod
    def run_all(cls, scope: Scope, writes: Sequence[Leave]) -> None:
        with scope.db.pipeline() as settle:
            found = [write._leave(scope) for write in writes]
            settle()
        with scope.db.pipeline():
            for write, left in zip(writes, found, strict=True):
                if left.rowcount == 1:
                    _clear(scope, write._run_id, write._state, write._verdict, write._kept)
                else:
                    write.error = Fenced(write._run_id, write._epoch)

    @property
    def _kept(self) -> Packed:
        return self._packed or Packed(b"")

    def _leave(self, scope: Scope) -> Rows:
        guard = " AND epoch = ? AND owner = ? AND state = 'running'"
        values = _values(scope, self._run_id, self._state, self._verdict, self._kept, self._wait)
        return scope.db.execute(_LEAVE + guard, (*values, self._epoch, scope.owner))


class EndUnowned(Write[bool]):
    """A run that no living host has is over. Whoever had it is fenced off, though it be dead."""

    __slots__ = ("_ending", "_packed", "_run_id", "_verdict")

    def __init__(self, run_id: str, verdict: str, ending: bytes) -> None:
        super().__init__()
        self.run_id = run_id
        self._run_id, self._verdict, self._ending = run_id, verdict, ending
        self._packed: Packed | None = None
        self.size = len(ending)

    def prepare(self, scope: Scope) -> None:
        in_ending = place("ending", self._run_id)
        self._packed = self._packed or scope.payloads.pack(self._ending, in_ending)

    def run(self, scope: Scope) -> bool:
        state, owner, verdict = row_of(scope, self._run_id, "state, owner, verdict")
        if state == "ended":
            raise RunHasEnded(self._run_id, verdict)
        if state == "running" and owner is not None and (owner == scope.owner or scope.is_alive(owner)):
            return False
        assert self._packed is not None
        scope.db.execute("UPDATE runs SET epoch = epoch + 1 WHERE run_id = ?", (self._run_id,))
        leave(scope, self._run_id, "ended", self._verdict, self._packed)
        return True


class FallAsleep(Write[bool]):
    """A run's owner leaves it until there is something to do, if there is nothing now."""

    __slots__ = ("_epoch", "_run_id", "_wake_at")

    def __init__(self, run_id: str, epoch: int, wake_at: int | None) -> None:
        super().__init__()
        self._run_id, self._epoch, self._wake_at = run_id, epoch, wake_at
        self.about = (run_id, epoch)

    def run(self, scope: Scope) -> bool:
        require_owner(scope, self._run_id, self._epoch)  # an answer that comes now waits for this row
        sql = """SELECT 1 FROM runs WHERE run_id = ? AND (cancel_at IS NOT NULL OR EXISTS(
            SELECT 1 FROM answers a WHERE a.run_id = runs.run_id AND a.data IS NOT NULL))"""
        if scope.db.execute(sql, (self._run_id,)).fetchone() is not None:
            return False
        scope.db.execute(
            """UPDATE runs SET owner = NULL, state = 'asleep', wake_at = ?, sleeps = sleeps + 1,
            updated_at = ? WHERE run_id = ?""",
            (self._wake_at, scope.now, self._run_id),
        )
        scope.told.add("")
        return True


# What has no entries can be begun by anybody.
_LEAVE = """UPDATE runs SET owner = NULL, state = ?, wake_at = ?, verdict = ?, ending = ?, held = ?,
tries = tries + ?, made_by = CASE WHEN entries = 0 THEN '' ELSE made_by END, updated_at = ?, bytes = bytes + ?
WHERE run_id = ?"""


def leave(
    scope: Scope,
    run_id: str,
    state: State,
    verdict: str | None = None,
    ending: Packed = Packed(b""),  # noqa: B008
) -> None:
    """Leave a run without an owner, whoever that was."""
    with scope.db.pipeline():
        scope.db.execute(_LEAVE, _values(scope, run_id, state, verdict, ending))
        _clear(scope, run_id, state, verdict, ending)


def _values(
    scope: Scope, run_id: str, state: State, verdict: str | None, ending: Packed, wait: Wait = NO_WAIT
) -> tuple[Any, ...]:
    """Of `_LEAVE`."""
    why = (escaped(wait.why), wait.tries)
    return (state, wait.not_before, verdict, ending.data or None, *why, scope.now, ending.size, run_id)


def _clear(scope: Scope, run_id: str, state: State, verdict: str | None, ending: Packed) -> None:
    """What follows from a run that was left."""
    scope.keep_blobs(run_id, ending.blobs)
    if state == "ended" and verdict not in RESUMABLE:
        scope.db.execute("DELETE FROM answers WHERE run_id = ?", (run_id,))
    scope.told.add("")


def row_of(scope: Scope, run_id: str, columns: str) -> Row:
    """Columns of a run, which nobody else writes until the end of the transaction."""
    sql = f"SELECT {columns} FROM runs WHERE run_id = ?{scope.db.for_update}"
    row: Row | None = scope.db.execute(sql, (run_id,)).fetchone()
    if row is None:
        raise UnknownRun(run_id)
    return row
