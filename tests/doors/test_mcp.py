"""``flowcage mcp --queue``: a coding agent puts runs into the queue, and workers carry them out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from mcp import Client, StdioServerParameters

from ..e2e.command import DEADLINE, FLOWCAGE, flowcage
from ..mcp.client import OF_CLIENT, Asking
from .workers import ASKS, QUESTION, WAITS, Cluster

pytestmark = OF_CLIENT


@asynccontextmanager
async def server(cluster: Cluster, *words: str) -> AsyncIterator[Asking]:
    """A server on the store, and its client."""
    args = ["mcp", "--queue", f"--store={cluster.store}", *words]
    parameters = StdioServerParameters(command=str(FLOWCAGE), args=args, cwd=cluster.folder)
    async with Client(parameters) as connected:
        yield Asking(connected)


def carried_out(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        with trio.fail_after(DEADLINE):
            await work()

    trio.run(main)


def test_a_run_is_queued_by_one_server_and_looked_at_ended_and_gone_on_with_by_another(
    cluster: Cluster,
) -> None:
    async def work() -> None:
        async with server(cluster) as one, server(cluster) as other:
            begun = await one.ok("run", source=WAITS, args={"a": 1}, maxTotalAgents=7)
            run = begun["runId"]
            (listed,) = (await other.ok("list_runs", state="queued"))["runs"]
            assert listed["id"] == run
            cluster.worker()
            await trio.to_thread.run_sync(cluster.until_asked, "wait")
            assert (await other.ok("get", run=run))["run"]["state"] == "running"
            assert (await other.ok("cancel", run=run))["done"] == "asked"
            assert (await one.ok("wait", run=run, seconds=DEADLINE))["because"] == "it has ended"
            ways = {each["name"] for each in (await other.ok("resume", run=run))["ways"]}
            assert ways == {"even-if-cancelled", "retry-failed"}
            cluster.go()
            again = await other.ok("resume", run=run, way="even-if-cancelled", start=True)
            assert again == {"runId": run}
            ended = await one.ok("wait", run=run, seconds=DEADLINE)
            assert ended["result"] == ["<first>", "<wait>"]

    carried_out(work)
    assert cluster.asked() == ["first", "wait", "wait"]


def test_a_question_is_answered_through_another_server(cluster: Cluster) -> None:
    async def work() -> None:
        cluster.worker()
        async with server(cluster) as one, server(cluster) as other:
            run = (await one.ok("run", source=QUESTION))["runId"]
            waited = await one.ok("wait", run=run, seconds=DEADLINE)
            assert waited["because"].startswith("it waits for a person")
            (question,) = (await other.ok("get", run=run))["questions"]
            await other.ok("answer", run=run, request=question["id"], value="this")
            assert (await one.ok("wait", run=run, seconds=DEADLINE))["result"] == "this"

    carried_out(work)


def test_what_a_server_of_one_tenant_begins_is_the_tenants(cluster: Cluster) -> None:
    async def work() -> None:
        async with server(cluster, "--tenant=acme", "--max-runs=2") as asking:
            for _ in range(2):
                await asking.ok("run", source=ASKS)
            assert "as many as this server lets" in await asking.refused("run", source=ASKS)
        async with server(cluster, "--tenant=other", "--max-runs=2") as asking:
            await asking.ok("run", source=ASKS)
            assert len((await asking.ok("list_runs"))["runs"]) == 1

    carried_out(work)
    found = cluster.on("ls", "--json").json
    assert sorted((each["tenant"], each["state"]) for each in found) == [
        ("acme", "queued"),
        ("acme", "queued"),
        ("other", "queued"),
    ]


def test_the_ceiling_of_a_server_holds_for_runs_of_the_queue(cluster: Cluster) -> None:
    async def work() -> None:
        async with server(cluster, "--max-cost=0.5") as asking, server(cluster) as free:
            mine = (await asking.ok("run", source=ASKS, maxCost=9))["runId"]
            theirs = (await free.ok("run", source=ASKS))["runId"]
            for run in (mine, theirs):
                await free.ok("cancel", run=run)
            given: dict[str, Any] = {"way": "even-if-cancelled", "start": True}
            assert "without a ceiling" in await asking.refused("resume", run=theirs, **given)
            assert (await asking.ok("resume", run=mine, **given))["runId"] == mine

    carried_out(work)
    assert {each["state"] for each in cluster.on("ls", "--json").json} == {"queued", "ended"}


@pytest.mark.parametrize("word", ["--agent=mock", "--model=x"])
def test_options_that_workers_choose_are_refused(word: str) -> None:
    done = flowcage("mcp", "--queue", word)
    assert done.status == 2
    assert f"leave {word.partition('=')[0]} out" in done.stderr


def test_a_run_of_no_queue_is_not_carried_out_by_the_server(cluster: Cluster) -> None:
    (cluster.folder / "fails.js").write_text("await agent('hello'); throw new Error('x')")
    cluster.on("run", "--agent=mock", "--quiet", "--detach", "fails.js")
    (run,) = (each["runId"] for each in cluster.on("ls", "--json").json)
    cluster.until(run, "ended")

    async def work() -> None:
        async with server(cluster) as asking:
            told = await asking.ok("resume", run=run)
            assert (told["ways"], list(told["refused"])) == ([], ["retry-failed"])
            for start in (False, True):
                why = await asking.refused("resume", run=run, way="retry-failed", start=start)
                assert "no worker has this run" in why

    carried_out(work)
    assert [each["runId"] for each in cluster.on("ls", "--json").json] == [run]
