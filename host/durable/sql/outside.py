"""Writes of what others want of a run: an answer to what it asks, or its end."""

from __future__ import annotations

from flowcage.host.durable.errors import RunHasEnded
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.life import row_of
from flowcage.host.durable.sql.payloads import Packed, place
from flowcage.host.durable.sql.schema import escaped
from flowcage.host.durable.sql.write import Write
from flowcage.host.durable.sql.writes import require_owner
from flowcage.host.outcome.verdict import RESUMABLE


class GiveAnswer(Write[bool]):
    """Somebody outside answers a request."""

    __slots__ = ("_answer", "_packed", "_request", "_run_id")

    def __init__(self, run_id: str, request: str, answer: bytes) -> None:
        super().__init__()
        self.run_id = run_id
        self._run_id, self._request, self._answer = run_id, request, answer
        self._packed: Packed | None = None
        self.size = len(answer)

    def prepare(self, scope: Scope) -> None:
        in_answer = place("answer", self._run_id, escaped(self._request))
        self._packed = self._packed or scope.payloads.pack(self._answer, in_answer)

    def run(self, scope: Scope) -> bool:
        owner = _open_run(scope, self._run_id, or_resumable=True)
        assert self._packed is not None
        done = scope.db.execute(
            "INSERT INTO answers(run_id, request, at, data) VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (self._run_id, escaped(self._request), scope.now, self._packed.data),
        )
        if done.rowcount != 1:
            return False
        scope.keep_blobs(self._run_id, self._packed.blobs)
        _queue(scope, self._run_id)
        scope.told.add(owner)
        return True


class TurnAway(Write[None]):
    """An answer from outside is none to its question."""

    __slots__ = ("_epoch", "_request", "_run_id")

    def __init__(self, run_id: str, epoch: int, request: str) -> None:
        super().__init__()
        self._run_id, self._epoch, self._request = run_id, epoch, request
        self.about = (run_id, epoch)

    def run(self, scope: Scope) -> None:
        require_owner(scope, self._run_id, self._epoch)
        scope.db.execute(
            "DELETE FROM answers WHERE run_id = ? AND request = ? AND data IS NOT NULL",
            (self._run_id, escaped(self._request)),
        )


class AskToCancel(Write[bool]):
    """Somebody outside wants a run to end."""

    __slots__ = ("_reason", "_run_id")

    def __init__(self, run_id: str, reason: str) -> None:
        super().__init__()
        self.run_id = run_id
        self._run_id, self._reason = run_id, reason

    def run(self, scope: Scope) -> bool:
        owner = _open_run(scope, self._run_id)
        done = scope.db.execute(
            "UPDATE runs SET cancel_at = ?, cancel_reason = ? WHERE run_id = ? AND cancel_at IS NULL",
            (scope.now, escaped(self._reason), self._run_id),
        )
        _queue(scope, self._run_id)
        scope.told.add(owner)
        return bool(done.rowcount == 1)


def _queue(scope: Scope, run_id: str) -> None:
    """A run of a pool waits no longer for its time, nor for what has just come."""
    scope.db.execute(
        """UPDATE runs SET state = 'queued', wake_at = NULL
        WHERE run_id = ? AND state IN ('queued', 'asleep') AND pool IS NOT NULL""",
        (run_id,),
    )


def _open_run(scope: Scope, run_id: str, *, or_resumable: bool = False) -> str:
    """The owner of a run that has not ended, or may be gone on with; "" without one."""
    state, owner, verdict, cancel_at = row_of(scope, run_id, "state, owner, verdict, cancel_at")
    goes_on = or_resumable and verdict in RESUMABLE and cancel_at is None
    if state == "ended" and not goes_on:
        raise RunHasEnded(run_id, verdict)
    return owner or ""
