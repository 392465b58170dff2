"""A run that a host has claimed and does not carry out is given back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, Host, RunOptions
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume.kept import KeptRun, take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.run.options import Caller
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.children import Launcher

SOURCE = "const a = await agent('a'); export default [a, await workflow('kid')]"


async def answer(_call: AgentCall) -> AgentAnswer:
    return AgentAnswer("x")


async def kid(_caller: Caller, _request: WorkflowRequest) -> Json:
    return "kid"


async def interrupted(store: SqliteStore, launcher: Launcher) -> None:
    """A run that was cancelled while its agent was at work."""
    with trio.CancelScope() as scope:

        async def agent(_call: AgentCall) -> AgentAnswer:
            scope.cancel()
            await trio.sleep_forever()
            raise AssertionError

        options = RunOptions(agent=agent, workflow=kid, launcher=launcher, timeout_seconds=120)
        kept = await begin(store, "run", SOURCE, "w.js", {}, options, tenant="default")
        await kept.execute(kept.run(options))


def test_a_host_without_the_handlers_leaves_the_run_to_another(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore.open(tmp_path / "runs.db", durability="relaxed")
        try:
            await interrupted(store, Launcher())
            before = await store.load("run")
            async with Host(store=store, options=RunOptions(agent=answer, timeout_seconds=120)) as host:
                with pytest.raises(NotResumable, match="needs a handler of workflow"):
                    await host.resume("run")
                after = await store.load("run")
                assert (after.summary.state, after.summary.verdict) == ("ended", "cancelled")
                assert after.ending == before.ending
                given = RunOptions(agent=answer, workflow=kid, timeout_seconds=120)
                assert (await host.resume("run", options=given)).result == ["x", "kid"]
        finally:
            await store.aclose()

    trio.run(main)


def test_a_run_whose_host_fails_before_it_begins_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: Any, **_more: Any) -> Any:
        raise OSError("no room")

    async def main() -> None:
        store = SqliteStore.open(tmp_path / "runs.db", durability="relaxed")
        given = RunOptions(agent=answer, workflow=kid, timeout_seconds=120)
        try:
            async with Host(store=store, options=given) as host:
                with monkeypatch.context() as patch:
                    patch.setattr(KeptRun, "run", fails)
                    with pytest.raises(OSError, match="no room"):
                        await host.run(SOURCE, run_id="run")
                summary = await store.get("run")
                assert (summary.state, summary.verdict) == ("ended", "not_started")
                assert (await host.resume("run")).result == ["x", "kid"]
        finally:
            await store.aclose()

    trio.run(main)


@pytest.mark.parametrize("what", ["claim", "create"])
def test_what_is_cancelled_while_it_is_claimed_is_nobodys(tmp_path: Path, what: str) -> None:
    """The commit takes place after the cancellation; a point before it waits for that."""

    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        is_armed = False

        def fault(point: str) -> None:
            if point == "before-begin" and is_armed:
                trio.from_thread.run_sync(reached.set, trio_token=token)
                trio.from_thread.run(cancelled.wait, trio_token=token)

        reached, cancelled = trio.Event(), trio.Event()
        store = SqliteStore.open(tmp_path / "runs.db", StoreOptions(fault=fault), durability="relaxed")
        try:
            launcher = Launcher()
            if what == "claim":
                await interrupted(store, launcher)
            is_armed = True

            async def work() -> None:
                given = RunOptions(agent=answer, workflow=kid, launcher=launcher)
                if what == "claim":
                    await take_up(store, "run")
                else:
                    await begin(store, "run", SOURCE, "w.js", {}, given)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(work)
                await reached.wait()
                nursery.cancel_scope.cancel()
                is_armed = False
                cancelled.set()
            summary = await store.get("run")
            assert (summary.state, summary.verdict, summary.owner) == ("ended", "cancelled", None)
            assert summary.epoch == (2 if what == "claim" else 1)
        finally:
            await store.aclose()

    trio.run(main)
