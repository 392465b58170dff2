"""Whole runs through queue, store and workers: four figures, in less than two minutes.

    python bench/cluster.py [--runs N] [--queued N] [--workers N] [--slots N] [--only WORDS]

Each worker is a process with a host, whose runs are carried out in cages; the Postgres server is the script's
own, its commits wait for the disk. What is measured by the clock needs a machine that does nothing else; CPU
holds on any.

- *claimed*: one run at a time for an idle worker, from before it is submitted until the worker has its claim.
- *taken over*: from SIGKILL of a worker until another has the claim of its run.
- *rate*: trivial runs, from before the first is submitted until the last has ended.
- *turns*: runs of one tenant wait, then one of another is submitted: how many are claimed before it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import Any

import psutil
import psycopg
from backlog.contract import Settings, worker
from backlog.cpu import Meter
from backlog.hosts import Hosts
from backlog.measures import fresh, idle, percentiles, takeover, turns
from backlog.server import server
from tables.markdown import table

_TRIES = 3


def _claimed(_given: argparse.Namespace, address: str) -> list[str]:
    with fresh(Hosts, address) as engine:
        p50, p90, p99, _ = percentiles(idle(engine, 100))
    return ["submit to claimed, idle pair", f"{p50} ms at p50, {p90} at p90, {p99} at p99", "5 ms at p50"]


def _taken_over(_given: argparse.Namespace, address: str) -> list[str]:
    found = []
    for _ in range(_TRIES):
        with fresh(partial(Hosts, calls=1), address) as engine:
            found.append(takeover(engine, 0, 0))
    return ["takeover after SIGKILL", f"{median(found):.2f} s, at most {max(found):.2f}", "1.5 s"]


def _rate(given: argparse.Namespace, address: str) -> list[str]:
    count = given.runs
    with fresh(Hosts, address) as engine, ExitStack() as stack:
        workers = [stack.enter_context(worker(engine, Settings(given.slots))) for _ in range(given.workers)]
        meters = [Meter(engine.address, each.pid) for each in workers]
        own, began = psutil.Process().cpu_times(), time.monotonic()
        engine.defer_many("t", count)
        _until_empty(engine.address)
        passed, after = time.monotonic() - began, psutil.Process().cpu_times()
        spent = [meter.each(count) for meter in meters]
    cpu = (sum(after[:2]) - sum(own[:2])) / count * 1e3
    figures = (cpu, sum(each.worker for each in spent) / 1e3, spent[0].server / 1e3)
    names = ("submitter", "workers with children", "server")
    of = ", ".join(f"{each:.1f} ms of {name}" for each, name in zip(figures, names, strict=True))
    return ["trivial runs a second", f"{count / passed:,.0f}; CPU of each: {of}", "150"]


def _turns(given: argparse.Namespace, address: str) -> list[str]:
    with fresh(Hosts, address) as engine:
        found = turns(engine, given.queued, given.slots)
    title = f"{given.queued:,} runs of one tenant wait, {given.slots} slots"
    return [title, f"{found} claimed before another's", f"{given.slots}"]


def _until_empty(address: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SET search_path TO flowcage")
        sql = "SELECT EXISTS(SELECT 1 FROM runs WHERE state IN ('queued', 'running'))"
        while connection.execute(sql).fetchone() == (True,):
            time.sleep(0.05)


_PARTS: dict[str, Callable[[Any, str], list[str]]] = {
    "claimed": _claimed,
    "taken over": _taken_over,
    "rate": _rate,
    "turns": _turns,
}


def main() -> None:
    """Read the arguments, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--queued", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", help="on the disk that is measured; left out, that of temporary files")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n", flush=True)
    with server(given.folder) as address:
        rows = [make(given, address) for title, make in _PARTS.items() if given.only in title]
    print(table(["", "measured", "goal"], rows))


if __name__ == "__main__":
    main()
