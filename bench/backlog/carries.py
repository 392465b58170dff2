"""What each step of a run costs a Postgres server, in CPU, commits and log, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import psycopg
from backlog.contract import Settings, Worker
from backlog.cpu import Meter
from backlog.flowcages import queued
from backlog.hosts import submit_many
from tables.markdown import table

from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.queue.records import Taken, Wanted
from flowcage.host.durable.records import EncodedEntry, Ending
from flowcage.host.durable.ticket import Ticket

_ENTRY = EncodedEntry(1.0, b"x" * 500)
_COMPLETED = Ending("completed", result=1)
_Put = Callable[[], Ticket[Any]]


def steps(address: str, count: int) -> str:
    """One at a time, each a commit of its own, and many in few commits, as the committing thread has them."""
    rows = []
    for title, at_once in (("one at a time", 1), ("many together", count)):
        store = PostgresStore.open(address)
        rows += _steps(store, address, count, at_once, title)
        store.close()
    return table(["", "CPU of the server, µs", "log, bytes"], rows)


def _steps(store: PostgresStore, address: str, count: int, at_once: int, title: str) -> list[list[str]]:
    taken: list[Taken] = []
    names = [f"{at_once}-{number}" for number in range(count)]

    def take() -> None:
        for _ in range(0, count, min(at_once, 10)):
            taken.extend(store.take(Wanted(min(at_once, 10))).wait())

    def with_taken(put: Callable[[Taken], _Put]) -> Callable[[], None]:
        return lambda: _all([put(run) for run in taken], at_once)

    parts: dict[str, Callable[[], None]] = {
        "queue a run": lambda: _all([partial(_queue, store, name) for name in names], at_once),
        "take it": take,
        "append an entry": with_taken(lambda run: partial(store.append, run.run_id, run.epoch, 0, [_ENTRY])),
        "end it": with_taken(lambda run: partial(store.end, run.run_id, run.epoch, _COMPLETED)),
        "charge its tenant": with_taken(lambda run: partial(store.charge, run.tenant, 0.1, 0.001)),
        "look in vain": lambda: _all([partial(store.take, Wanted(1))] * count, 1),
        "look for the dead": lambda: _all([store.reap] * count, 1),
    }
    rows = []
    for name, do in parts.items():
        if at_once > 1 and name.startswith("look"):
            continue
        meter = Meter(address)
        do()
        spent = meter.each(count)
        rows.append([f"{name}, {title}", f"{spent.server:,.0f}", f"{spent.log:,.0f}"])
    return rows


def _queue(store: PostgresStore, name: str) -> Ticket[Any]:
    return store.create(queued("t", name), queued=True)


def _all(puts: Sequence[_Put], at_once: int) -> None:
    for start in range(0, len(puts), at_once):
        for ticket in [put() for put in puts[start : start + at_once]]:
            ticket.wait()


def wholes(address: str, count: int, slots: int) -> str:
    """Whole runs, by a host that is a worker."""
    rows = []
    for calls in (0, 1, 10):
        store = PostgresStore.open(address)
        submit_many(store, count, calls)
        store.close()
        worker = Worker("backlog.hosts", address, Settings(slots))
        meter, began = Meter(address, worker.pid), time.monotonic()
        _until_empty(address)
        passed, spent = time.monotonic() - began, meter.each(count)
        worker.kill()
        figures = [f"{each:,.0f}" for each in (spent.worker, spent.server, spent.log)]
        rows.append([f"{calls} calls", f"{count / passed:,.0f}", *figures, f"{spent.commits:.1f}"])
    head = ["a run of", "runs a second", "CPU of the worker, µs", "of the server", "log, bytes", "commits"]
    return table(head, rows)


def _until_empty(address: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SET search_path TO flowcage")
        sql = "SELECT EXISTS(SELECT 1 FROM runs WHERE state IN ('queued', 'running'))"
        while connection.execute(sql).fetchone() == (True,):
            time.sleep(0.1)
