"""Where stores are kept, for tests that are the same for all of them."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from flowcage.host.durable.journal import Journal
from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.records import NewRun, NewWorkflow
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.run.core.inputs import Input
from flowcage.host.run.core.rules import Rules

ROOT = Path(__file__).parents[2]
DEADLINE_S = 300


class Place(Protocol):
    """One store, which any number of hosts may open."""

    folder: Path
    address: str

    def open(self, options: StoreOptions = DEFAULTS) -> SqlStore: ...


class SqlitePlace:
    """A file.

    Args:
        folder: that it is in.
        kind: of the store; tests give broken ones.
    """

    def __init__(self, folder: Path, kind: type[SqliteStore] = SqliteStore) -> None:
        self.folder = folder
        self.address = str(folder / "store" / "runs.db")
        self._kind = kind

    def open(self, options: StoreOptions = DEFAULTS) -> SqlStore:
        return self._kind.open(Path(self.address), options)


class PostgresPlace:
    """A schema of a server's.

    Args:
        folder: for files beside it.
        server: its address.
    """

    def __init__(self, folder: Path, server: str) -> None:
        self.folder = folder
        self.address = f"{server}|t_{secrets.token_hex(8)}"

    def open(self, options: StoreOptions = DEFAULTS) -> SqlStore:
        server, _, schema = self.address.partition("|")
        return PostgresStore.open(server, options, schema=schema)


@asynccontextmanager
async def host(place: Place, options: StoreOptions = DEFAULTS) -> AsyncIterator[SqlStore]:
    """A host of the store, for the length of a block."""
    store = place.open(options)
    try:
        yield store
    finally:
        await store.aclose()


@contextmanager
def other_host(place: Place, program: str) -> Iterator[subprocess.Popen[str]]:
    """Another process; `program` is the body of an async function with `store`. It must print a line."""
    done = subprocess.Popen(
        [sys.executable, "-m", "tests.durable.other_host", place.address, program],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with done:
        try:
            yield done
        finally:
            done.kill()


class Clock:
    """Milliseconds that a test moves."""

    def __init__(self, now: int = 1_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def workflow(path: str = "", source: str = "export default 1", **more: Any) -> NewWorkflow:
    return NewWorkflow(path, source, "w.js", **more)


def new(run_id: str, tenant: str = "t", **more: Any) -> NewRun:
    """A run to be kept."""
    root = more.pop("root", workflow())
    return NewRun(run_id, tenant, more.pop("rules", Rules()), root, **more)


async def begun(store: SqlStore, run_id: str, *inputs: Input, **more: Any) -> Journal:
    """A run of this host's, with these inputs."""
    created = await store.create(new(run_id, **more))
    assert created.epoch == 1
    journal = Journal(store, run_id, 1)
    await written(journal, *inputs)
    return journal


async def written(journal: Journal, *inputs: Input) -> None:
    """Append inputs, a second apart, and wait until they are durable."""
    for index, given in enumerate(inputs):
        journal.record(float(journal.seq + index), given)
    await journal.flush()
