"""Stores with runs in them, for tests of the commands that look at them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio

from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sqlite.store import SqliteStore

from ..durable import entries
from ..durable.places import begun
from .command import Finished, flowcage

T = TypeVar("T")
DONE = Ending("completed", {"a": 1}, None, {"tokens": 3})


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[SqliteStore]:
    store = await trio.to_thread.run_sync(lambda: SqliteStore.open(path, StoreOptions(**options)))
    try:
        yield store
    finally:
        await store.aclose()


def with_store(path: Path, work: Callable[[SqliteStore], Awaitable[T]], **options: Any) -> T:
    """Do something with a store, which is closed afterwards: what is running then has been abandoned."""

    async def main() -> T:
        async with opened(path, **options) as store:
            return await work(store)

    return trio.run(main)


def make(path: Path, *run_ids: str, clock_at: int | None = None, inputs: bool = False) -> None:
    """A store with runs; those whose id begins with ``done`` are over, the others are abandoned."""

    async def work(store: SqliteStore) -> None:
        for run_id in run_ids:
            await begun(store, run_id, *(entries.INPUTS if inputs else ()))
            if run_id.startswith("done"):
                await store.end(run_id, 1, DONE)

    with_store(path, work, clock=None if clock_at is None else lambda: clock_at)


def on(path: Path, *words: str | Path) -> Finished:
    """A command about this store."""
    return flowcage(*words, "--store", path)


def ids(path: Path) -> list[str]:
    """What the store has, the newest first."""
    return [each["runId"] for each in on(path, "ls", "--json").json]
