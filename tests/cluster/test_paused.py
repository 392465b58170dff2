"""A worker that is stopped while the server is restarted: its session is gone, and it does not know."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import PostgresStore, RunOptions, submit_workflow
from tests.durable.places import DEADLINE_S

from .judged import Judge
from .servers import is_installed, server
from .storm import AUDIT, SCHEMA, SOURCE, members, nobody, open_runs

pytestmark = pytest.mark.skipif(not is_installed(), reason="Postgres is not installed, or refuses root")


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def asked(log: Path) -> list[list[Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


async def submit(address: str) -> None:
    store = PostgresStore.open(address, schema=SCHEMA)
    options = RunOptions(agent=nobody, timeout_seconds=3_600)
    try:
        await submit_workflow(store, SOURCE, args={"n": 2, "sleepMs": 1}, run_id="r", options=options)
    finally:
        await store.aclose()


def test_a_worker_that_has_lost_its_session_without_knowing_starts_nothing(tmp_path: Path) -> None:
    with server() as postgres:
        trio.run(submit, postgres.address)
        with postgres.administrator() as administrator:
            administrator.execute(AUDIT)
        with members(tmp_path, f"{postgres.address}|{SCHEMA}", 2) as workers:
            until(lambda: bool(asked(workers.log)))
            name = asked(workers.log)[0][4].partition("/")[0]
            paused = workers.named[name]
            paused.send_signal(signal.SIGSTOP)
            postgres.restart()
            until(lambda: open_runs(postgres) == 0)
            before = asked(workers.log)
            paused.send_signal(signal.SIGCONT)
            paused.send_signal(signal.SIGTERM)
            assert paused.wait(DEADLINE_S) == 0
            assert asked(workers.log) == before
        counts = trio.run(Judge(postgres.address, SCHEMA, workers.log).judge)
    assert counts["verified"] == 1
    assert counts["epochs"] > 1
