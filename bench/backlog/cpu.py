"""CPU and log of an engine: of its worker with all below it, and of all of the server's processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import psutil
import psycopg


class Spent(NamedTuple):
    """Of one thing that was done many times.

    Attributes:
        worker, server: microseconds of CPU.
        commits: of the server.
        log: bytes that the server wrote ahead (WAL).
    """

    worker: float
    server: float
    commits: float
    log: float


class Meter:
    """Measures what is spent from now on.

    Args:
        address: of the database.
        worker: pid of the process that works; None: this one counts for nothing.
    """

    def __init__(self, address: str, worker: int | None = None) -> None:
        self._address, self._worker = address, worker
        self._begun = self._read()

    def each(self, count: int) -> Spent:
        """What was spent for each of so many."""
        parts = zip(self._begun, self._read(), strict=True)
        return Spent(*((after - before) / count for before, after in parts))

    def _read(self) -> Spent:
        with psycopg.connect(self._address) as connection:
            connection.execute("SELECT pg_stat_clear_snapshot()")
            row = connection.execute(
                """SELECT pg_backend_pid(), pg_current_wal_lsn() - '0/0',
                (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())"""
            ).fetchone()
            assert row is not None
            pid, log, commits = row
            server = psutil.Process(pid).parent()
            assert server is not None
            worker = 0.0 if self._worker is None else _tree(self._worker)
            return Spent(worker, _tree(server.pid), float(commits), float(log))


def _tree(pid: int) -> float:
    """Microseconds of a process and all below it, those that have ended included."""
    root = psutil.Process(pid)
    return sum(_gone_or(each, _of) for each in (root, *root.children(recursive=True)))


def _of(process: psutil.Process) -> float:
    return 1e6 * float(sum(process.cpu_times()[:4]))


def _gone_or(process: psutil.Process, of: Callable[[psutil.Process], float]) -> float:
    try:
        return of(process)
    except psutil.NoSuchProcess:  # between two looks; its parent has its CPU by now, or will
        return 0.0
