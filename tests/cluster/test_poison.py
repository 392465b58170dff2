"""A run that kills each worker that takes it is taken from them; those beside it are not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import PostgresStore, RunOptions, submit_workflow
from flowcage.host.durable.records import Filter
from tests.durable.places import DEADLINE_S

from .member import POISON
from .servers import is_installed, server
from .storm import SCHEMA, Members, members, nobody

pytestmark = pytest.mark.skipif(not is_installed(), reason="Postgres is not installed, or refuses root")

SLOW = """const all = [];
for (let i = 0; i < 12; i++) all.push(await agent('call ' + i));
export default all.length;"""
DEADLY = f"await agent('before'); export default await agent('{POISON}');"


async def submit(address: str) -> None:
    store = PostgresStore.open(address, schema=SCHEMA)
    options: Any = {"options": RunOptions(agent=nobody, timeout_seconds=3_600)}
    try:
        for number in range(4):
            await submit_workflow(store, SLOW, run_id=f"slow{number}", **options)
        await submit_workflow(store, DEADLY, run_id="deadly", **options)
    finally:
        await store.aclose()


async def until_ended(address: str, workers: Members) -> dict[str, Any]:
    store = PostgresStore.open(address, schema=SCHEMA, read_only=True)
    until = time.monotonic() + DEADLINE_S
    try:
        while open_ones := await store.runs(Filter(states=("queued", "running", "asleep"))):
            assert time.monotonic() < until, open_ones
            workers.complete()
            await trio.sleep(0.1)
        return {each.run_id: await store.load(each.run_id) for each in await store.runs()}
    finally:
        await store.aclose()


def test_a_run_that_kills_its_workers_is_quarantined_and_no_other(tmp_path: Path) -> None:
    with server() as postgres:
        trio.run(submit, postgres.address)
        with members(tmp_path, f"{postgres.address}|{SCHEMA}") as workers:
            records = trio.run(until_ended, postgres.address, workers)

    asked = [line for line in workers.log.read_text().splitlines() if '"deadly/2' in line]
    assert len(asked) == 3
    deadly = records.pop("deadly")
    assert deadly.summary.verdict == "quarantined"
    assert "workers died while they had the run" in deadly.ending.error["message"]
    assert {run_id: record.summary.verdict for run_id, record in records.items()} == dict.fromkeys(
        ("slow0", "slow1", "slow2", "slow3"), "completed"
    )
