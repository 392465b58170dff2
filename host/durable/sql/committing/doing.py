"""The writes of one transaction: all but those that are refused.

Hardly ever one is refused, so all are done without savepoints first. Where one is, the transaction is rolled
back and begun anew, with a savepoint for each group.
"""

from __future__ import annotations

from typing import Any

from flowcage.host.durable.errors import StoreError, StoreFailed
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.write import Backend, Trouble, Write
from flowcage.host.outcome.errors import RunError

_OF_THE_DATABASE = (Trouble.PASSES, Trouble.LASTS)


def do(backend: Backend, scope: Scope, batch: list[Write[Any]]) -> None:
    """Begin a transaction and do a batch in it; writes that are refused have their `error`."""
    mark = scope.mark()
    backend.begin(scope.db)
    try:
        Write.hold_all(scope, batch)
        for group in _groups(batch):
            type(group[0]).run_all(scope, group)
    except Exception as error:
        if backend.trouble(error) in _OF_THE_DATABASE:
            raise
        backend.rollback(scope.db)
        scope.undo(mark)
        scope.told.clear()
        for write in batch:
            write.value = write.error = None
        backend.begin(scope.db)
        _do_with_savepoints(backend, scope, batch)


def _do_with_savepoints(backend: Backend, scope: Scope, batch: list[Write[Any]]) -> None:
    Write.hold_all(scope, batch)
    for group in _groups(batch):
        if not _try(backend, scope, group):
            for write in group:  # each by itself; a conflict may be with what has just come
                if not _try(backend, scope, [write]):
                    _try(backend, scope, [write], last=True)


def _groups(batch: list[Write[Any]]) -> list[list[Write[Any]]]:
    """Writes of one type, to be done together.

    What the owner of a run writes may go before what was put earlier for other runs, and before nothing else.
    """
    groups: list[list[Write[Any]]] = []
    last_of: dict[str, int] = {}
    behind = 0
    for write in batch:
        if write.about is None:
            first = max(0, len(groups) - 1)
        else:
            first = max(behind, last_of.get(write.about[0], 0))
        fits = (at for at in range(first, len(groups)) if type(groups[at][0]) is type(write))
        if (at := next(fits, len(groups))) == len(groups):
            groups.append([])
        groups[at].append(write)
        if write.about is None:
            behind = at
        else:
            last_of[write.about[0]] = at
    return groups


def _try(backend: Backend, scope: Scope, group: list[Write[Any]], *, last: bool = False) -> bool:
    db, mark = scope.db, scope.mark()
    db.execute("SAVEPOINT write")
    try:
        type(group[0]).run_all(scope, group)
    except Exception as error:
        conflict = backend.trouble(error) is Trouble.CONFLICT
        refused = isinstance(error, StoreError | RunError)
        if backend.trouble(error) in _OF_THE_DATABASE:
            raise
        scope.undo(mark)
        db.execute("ROLLBACK TO SAVEPOINT write")
        db.execute("RELEASE SAVEPOINT write")
        if len(group) > 1 or (conflict and not last):
            return False
        group[0].error = error if refused else StoreFailed(f"a write was refused: {error!r}")
        return True
    db.execute("RELEASE SAVEPOINT write")
    return True
