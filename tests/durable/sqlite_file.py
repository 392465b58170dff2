"""A store in a file, for tests of what is in that file."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import trio

from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.sqlite.store import SqliteStore

from . import entries
from .places import begun


def with_store(
    path: Path, body: Callable[[SqliteStore], Awaitable[Any]], options: StoreOptions = DEFAULTS, **more: Any
) -> Any:
    """Run something with a store that is closed afterwards."""

    async def main() -> Any:
        store = SqliteStore.open(path, options, **more)
        try:
            return await body(store)
        finally:
            await store.aclose()

    return trio.run(main)


def made(path: Path, options: StoreOptions = DEFAULTS) -> None:
    """A store with a run of every kind of input."""
    with_store(path, lambda store: begun(store, "r", *entries.INPUTS), options)


def loaded(path: Path, options: StoreOptions = DEFAULTS, **more: Any) -> RunRecord:
    record = with_store(path, lambda store: store.load("r"), options, **more)
    assert isinstance(record, RunRecord)
    return record


def changed(path: Path, *statements: str) -> None:
    """Do something to the file that no host does."""
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()
