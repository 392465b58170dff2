"""CPU of a worker and of the server's processes for one database, as far as they are of this machine."""

from __future__ import annotations

from typing import Any

import psutil
import psycopg


def cpu_seconds(address: str, worker: int) -> tuple[float, float]:
    """Until now: the worker's, and that of the server's processes that serve this database.

    Args:
        address: of the database.
        worker: its pid.
    """
    with psycopg.connect(address) as connection:
        sql = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        pids = [pid for (pid,) in connection.execute(sql).fetchall()]
    return _of(worker), sum(_of(pid) for pid in pids)


def _of(pid: int) -> float:
    try:
        times: Any = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
