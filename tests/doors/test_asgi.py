"""``RunRoutes(queue=…)``: clients of a service put runs into the queue, and workers carry them out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from flowcage import RunOptions

from ..asgi.served import Client, run
from .workers import ASKS, WAITS, Cluster

EACH_SERVER = pytest.mark.parametrize("server", ["asyncio", "trio"])


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(str(tmp_path / "runs.db"), tmp_path)
    yield made
    made.end()


@EACH_SERVER
def test_a_run_is_queued_followed_ended_and_gone_on_with(
    server: str, tmp_path: Path, workers: Cluster
) -> None:
    async def work(client: Client) -> None:
        run_id = await client.start(WAITS, key="k", metadata={"m": 1})
        assert (await client.get(f"/runs/{run_id}")).json()["run"]["state"] == "queued"
        assert await client.start(WAITS, key="k") == run_id
        await anyio.to_thread.run_sync(workers.worker)
        heard = await client.events(run_id, until="agent_completed")
        assert heard[0].name == "started"
        await anyio.to_thread.run_sync(workers.until_asked, "wait")
        assert (await client.post(f"/runs/{run_id}/cancel", {})).json()["done"] == "asked"
        assert (await client.outcome(run_id))["verdict"] == "cancelled"
        workers.go()
        again = await client.post(f"/runs/{run_id}/resume", {"way": "even-if-cancelled"})
        assert again.json() == {"runId": run_id}
        assert (await client.outcome(run_id))["result"] == ["<first>", "<wait>"]
        edited = await client.post(
            f"/runs/{run_id}/resume", {"way": "edited", "source": f"{WAITS} // edited"}
        )
        fork = edited.json()["runId"]
        assert fork != run_id
        assert (await client.outcome(fork))["result"] == ["<first>", "<wait>"]
        assert (await client.get("/statistics")).json()["ended"] == {}
        await anyio.to_thread.run_sync(workers.end)

    run(server, tmp_path, work, routes={"queue": ""})
    assert workers.asked() == ["first", "wait", "wait"]


@EACH_SERVER
def test_a_client_that_waits_has_the_outcome_and_takes_the_run_along(
    server: str, tmp_path: Path, workers: Cluster
) -> None:
    async def work(client: Client) -> None:
        await anyio.to_thread.run_sync(workers.worker)
        done = await client.post("/runs?wait", {"source": ASKS, "args": {"n": 2}})
        assert done.json()["result"] == ["<hello>", {"n": 2}]
        failed = await client.post("/runs?wait", {"source": "throw new Error('no')"})
        assert (failed.status_code, failed.json()["verdict"]) == (422, "failed")
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: client.post("/runs?wait", {"source": WAITS, "runId": "mine"}))
                await anyio.to_thread.run_sync(workers.until_asked, "wait")
                scope.cancel()
        listed = (await client.get("/runs")).json()["runs"]
        (left,) = [each for each in listed if each["state"] != "ended"] or [listed[0]]
        await anyio.to_thread.run_sync(workers.until, left["id"], "ended")
        outcome = (await client.get(f"/runs/{left['id']}/result")).json()
        assert outcome["verdict"] == "cancelled"
        await anyio.to_thread.run_sync(workers.end)

    run(server, tmp_path, work, routes={"queue": ""})


def test_a_fork_is_held_to_the_ceiling_on_costs_that_its_request_has(tmp_path: Path) -> None:
    most: list[float | None] = [None]

    async def work(client: Client) -> None:
        run_id = await client.start(WAITS)
        await client.post(f"/runs/{run_id}/cancel", {})
        most[0] = 2.0
        edited = await client.post(f"/runs/{run_id}/resume", {"way": "edited", "source": ASKS})
        with closing(sqlite3.connect(tmp_path / "runs.db")) as db:
            sql = "SELECT rules FROM runs WHERE run_id = ?"
            (rules,) = db.execute(sql, (edited.json()["runId"],)).fetchone()
        assert json.loads(rules)["max_cost_usd"] == 2.0

    routes = {"queue": "", "options_of": lambda _request: RunOptions(max_cost_usd=most[0])}
    run("trio", tmp_path, work, routes=routes)


def test_a_name_that_no_pool_has_is_refused(tmp_path: Path) -> None:
    async def work(_client: Client) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="printable"):
        run("trio", tmp_path, work, routes={"queue": "a\nb"})
