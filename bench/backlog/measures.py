"""What is measured of an engine: how soon a job begins, whose turn it is, and who takes over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from typing import TypeVar
from uuid import uuid4

import psycopg
from backlog.contract import Engine, Settings, worker

MS, NS = 1e3, 1e9
AnEngine = TypeVar("AnEngine", bound=Engine)


@contextmanager
def fresh(make: Callable[[str], AnEngine], address: str) -> Iterator[AnEngine]:
    """An engine on a database of its own."""
    name = f"bench_{uuid4().hex[:8]}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # a name of this script's own
    engine = make(f"{address} dbname={name}")
    try:
        yield engine
    finally:
        engine.close()


def idle(engine: Engine, count: int) -> list[float]:
    """Milliseconds from before a job is handed in until it begins."""
    waited = []
    with worker(engine, Settings()) as pair:
        for number in range(count):
            began_ns = time.monotonic_ns()
            engine.defer("t", number)
            waited.append((pair.began().at_ns - began_ns) / NS * MS)
            time.sleep(0.05)  # so that the worker is idle again, the run having ended
    return waited[count // 10 :]


def turns(engine: Engine, count: int, slots: int) -> int:
    """How many jobs of tenant a begin after b's was handed in, and before it."""
    with worker(engine, Settings(slots, hold_seconds=0.02)) as one:
        engine.defer_many("a", count)
        one.began()
        engine.defer("b", 0)
        there_ns, before = time.monotonic_ns(), 0
        while (began := one.began()).tenant != "b":
            before += began.at_ns > there_ns
    return before


def takeover(engine: Engine, heartbeat: float, stalled: float) -> float:
    """Seconds."""
    given = Settings(2, 3600, heartbeat, stalled)
    with worker(engine, given) as first:
        engine.defer("t", 0)
        first.began()
        with worker(engine, given) as second:
            time.sleep(1)
            killed_ns = first.kill()
            return (second.began().at_ns - killed_ns) / NS


def percentiles(values: list[float]) -> list[str]:
    """50, 90, 99, and the least."""
    parts = quantiles(values, n=100)
    return [f"{each:.1f}" for each in (median(values), parts[89], parts[98], min(values))]
