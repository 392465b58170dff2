"""flowcage's queue of runs beside procrastinate, the engine that would have carried it, in one session.

    python bench/engines.py [--rounds N] [--jobs N] [--slots N] [--postgres ADDRESS] [--only WORDS]

Both have the same server, whose commits wait for the disk, and take turns. A job does nothing; who hands jobs
in and who takes them are processes of their own. ADDRESS is of a server that is this script's alone.

- *idle*: one job at a time into an idle pair, from handing it in until it begins in the worker.
- *rate*: jobs that wait, until the last has begun; commits of the engine's own included.
- *turns*: jobs of tenant a wait, then one of tenant b is handed in: how many of a's begin before it.
- *takeover*: from SIGKILL of a worker until its job begins in another.
- *steps*, *whole runs*: what a run of flowcage costs the server; docs/capacity.md reckons with these.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

from backlog import carries
from backlog.contract import Engine, Settings, worker
from backlog.cpu import Meter
from backlog.flowcages import Flowcage
from backlog.measures import fresh, idle, percentiles, takeover, turns
from backlog.procrastinates import Procrastinate
from backlog.server import server
from tables.markdown import table

ENGINES: dict[str, Callable[[str], Engine]] = {"flowcage": Flowcage, "procrastinate": Procrastinate}
NS = 1e9


class Rate(NamedTuple):
    """Jobs that begin a second, of those that wait; microseconds of CPU that each costs worker and server."""

    jobs: float
    worker: float
    server: float


def rate(engine: Engine, count: int, slots: int) -> Rate:
    """With one worker."""
    engine.defer_many("t", count)
    with worker(engine, Settings(slots)) as one:
        meter = Meter(engine.address, one.pid)
        began = [one.began().at_ns for _ in range(count)]
        spent = meter.each(count)
    return Rate((count - 1) / (began[-1] - began[0]) * NS, spent.worker, spent.server)


def _idles(given: argparse.Namespace) -> str:
    waited: dict[str, list[float]] = {name: [] for name in ENGINES}
    for _ in range(given.rounds):
        for name, make in ENGINES.items():
            with fresh(make, given.postgres) as engine:
                waited[name] += idle(engine, 100)
    rows = [[name, *percentiles(values)] for name, values in waited.items()]
    return table(["handed in until begun, idle pair, ms", "p50", "p90", "p99", "least"], rows)


def _rates(given: argparse.Namespace) -> str:
    rows = []
    for name, make in ENGINES.items():
        cells = []
        for slots in (1, given.slots):
            found = []
            for _ in range(given.rounds):
                with fresh(make, given.postgres) as engine:
                    found.append(rate(engine, given.jobs // 10, slots))
            cells += [f"{median(values):,.0f}" for values in zip(*found, strict=True)]
        rows.append([name, *cells])
    of = ["", ", µs of CPU of the worker", ", of the server"]
    head = [f"{name}{what}" for name in ("1 slot", f"{given.slots} slots") for what in of]
    return table(["jobs a second, one worker", *head], rows)


def _turns(given: argparse.Namespace) -> str:
    rows = []
    for name, make in ENGINES.items():
        with fresh(make, given.postgres) as engine:
            rows.append([name, f"{turns(engine, given.jobs, given.slots):,}"])
    head = [f"{given.jobs:,} jobs of one tenant wait, {given.slots} slots", "begin before another tenant's"]
    return table(head, rows)


def _takeovers(given: argparse.Namespace) -> str:
    rows = []
    cases: list[tuple[str, str, float, float]] = [
        ("flowcage", "flowcage, session lock", 0, 0),
        ("procrastinate", "procrastinate, heartbeat 1 s, stalled after 3 s", 1, 3),
        ("procrastinate", "procrastinate, its own 10 s, 30 s", 10, 30),
    ]
    for name, title, heartbeat, stalled in cases:
        found = []
        for _ in range(given.rounds):
            with fresh(ENGINES[name], given.postgres) as engine:
                found.append(takeover(engine, heartbeat, stalled))
        rows.append([title, f"{median(found):.2f}", f"{max(found):.2f}"])
    return table(["SIGKILL until begun elsewhere, s", "median", "most"], rows)


def _steps(given: argparse.Namespace) -> str:
    with fresh(Flowcage, given.postgres) as engine:
        return carries.steps(engine.address, given.jobs // 10)


def _wholes(given: argparse.Namespace) -> str:
    with fresh(Flowcage, given.postgres) as engine:
        return carries.wholes(engine.address, given.jobs // 20, given.slots)


def measure(given: argparse.Namespace) -> None:
    """Print the tables."""
    parts: dict[str, Callable[[Any], str]] = {
        "idle": _idles,
        "rate": _rates,
        "turns": _turns,
        "takeover": _takeovers,
        "steps": _steps,
        "whole runs": _wholes,
    }
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f}; CPython {platform.python_version()}")
    for title, make in parts.items():
        if given.only in title:
            print(f"\n{make(given)}", flush=True)


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--slots", type=int, default=10)
    parser.add_argument("--postgres", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", help="on the disk that is measured; left out, that of temporary files")
    given = parser.parse_args()
    if given.postgres:
        measure(given)
        return
    with server(given.folder) as given.postgres:
        measure(given)


if __name__ == "__main__":
    main()
