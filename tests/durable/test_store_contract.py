"""Every store keeps the contract, and each clause of it finds a store that breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.durable.store import Store
from flowcage.host.outcome.errors import FlowcageError

from .broken_queue import BROKEN
from .clauses import CLAUSES, Clause
from .places import Place, SqlitePlace

# How a clause says that it was broken; anything else would be a fault of the test's.
SAYS = (AssertionError, pytest.fail.Exception, FlowcageError, trio.TooSlowError, TimeoutError)


def as_store(store: SqliteStore) -> Store:
    """For the type checker."""
    return store


@pytest.mark.parametrize("clause", CLAUSES.values(), ids=CLAUSES)
def test_a_store_keeps_the_contract(clause: Clause, place: Place) -> None:
    trio.run(clause, place)


@pytest.mark.parametrize(
    ("clause", "kind"),
    [(CLAUSES[name], kind) for name, kinds in BROKEN.items() for kind in kinds],
    ids=[f"{name}-{kind.__name__}" for name, kinds in BROKEN.items() for kind in kinds],
)
def test_a_clause_finds_the_store_that_breaks_it(
    clause: Clause, kind: type[SqliteStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.durable.places.DEADLINE_S", 0.5)  # for what will never come
    with pytest.raises((*SAYS, BaseExceptionGroup)):
        trio.run(clause, SqlitePlace(tmp_path, kind))


def test_each_clause_has_a_store_that_breaks_it() -> None:
    assert set(BROKEN) == set(CLAUSES)
