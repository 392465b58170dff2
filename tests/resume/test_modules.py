"""Modules of a run that a store keeps: it goes on with those that it was begun with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall, RunOptions
from flowcage.host.durable.errors import AlreadyThere
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.resume.refusals import StartedBefore
from flowcage.host.resume.replay import replay
from flowcage.host.run.options import Caller
from flowcage.host.workflows.child_workflows import ChildWorkflows
from flowcage.protocol.messages import Json, WorkflowRequest

from ..reuse.forks import Forks

SOURCE = "import { ask } from './lib.mjs';\nreturn [await ask('one'), await ask('two'), await ask('three')];"
LIB = {"lib.mjs": "export const ask = (what) => agent(`${what}?`);"}
OTHER = {"lib.mjs": "export const ask = (what) => agent(`${what}!`);"}


def test_a_run_goes_on_with_the_modules_that_it_was_begun_with(tmp_path: Path) -> None:
    asked: list[str] = []
    scope = trio.CancelScope()

    async def agent(call: AgentCall) -> AgentAnswer:
        asked.append(call.prompt)
        if len(asked) == 2:
            scope.cancel()
        await trio.lowlevel.checkpoint()
        return AgentAnswer(call.prompt.upper())

    async def main() -> Json:
        store = SqliteStore.open(tmp_path / "runs.db", durability="relaxed")
        try:
            options = RunOptions(agent=agent, modules=LIB)
            kept = await begin(store, "run", SOURCE, "w.js", {}, options)
            with scope:
                await kept.execute(kept.run(options))
            kept = await take_up(store, "run")
            own = kept.options(replace(options, modules=OTHER))
            assert (own.modules, kept.options(own)) == (LIB, own)
            result = (await kept.execute(kept.run(own))).result
            assert (await replay(await store.load("run"))).is_same
            return result
        finally:
            await store.aclose()

    assert trio.run(main) == ["ONE?", "TWO?", "THREE?"]
    assert asked == ["one?", "two?", "two?", "three?"]


def test_a_child_workflow_goes_on_with_those_that_it_was_begun_with(tmp_path: Path) -> None:
    (tmp_path / "kid.js").write_text(SOURCE)
    (tmp_path / "lib.mjs").write_text(LIB["lib.mjs"])
    asked: list[str] = []
    scope = trio.CancelScope()

    async def agent(call: AgentCall) -> AgentAnswer:
        asked.append(call.prompt)
        if len(asked) == 2:
            (tmp_path / "lib.mjs").unlink()
            scope.cancel()
        await trio.lowlevel.checkpoint()
        return AgentAnswer(call.prompt.upper())

    async def main() -> Json:
        store = SqliteStore.open(tmp_path / "runs.db", durability="relaxed")
        try:
            options = RunOptions(agent=agent, workflow=ChildWorkflows(tmp_path))
            kept = await begin(store, "run", "return workflow('kid');", "w.js", {}, options)
            with scope:
                await kept.execute(kept.run(options))
            kept = await take_up(store, "run")
            return (await kept.execute(kept.run(options))).result
        finally:
            await store.aclose()

    assert trio.run(main) == ["ONE?", "TWO?", "THREE?"]


def test_a_fork_has_the_modules_of_its_run_or_others(tmp_path: Path) -> None:
    async def main() -> None:
        forks = Forks(tmp_path / "runs.db")
        first = await forks.run("run", SOURCE, modules=LIB)
        assert (await forks.fork("same", "run")).result == first.result
        assert forks.asked == ["one?", "two?", "three?"]
        assert (await forks.record("same")).workflows[""].modules == LIB
        await forks.fork("edited", "run", SOURCE, modules=OTHER)
        assert forks.asked[3:] == ["one!", "two!", "three!"]
        assert (await forks.record("edited")).workflows[""].modules == OTHER
        await forks.store.aclose()

    trio.run(main)


def test_the_result_of_a_child_workflow_is_reused_where_its_modules_are_the_same(tmp_path: Path) -> None:
    modules = LIB

    async def kid(caller: Caller, request: WorkflowRequest) -> Json:
        assert request.ref == "kid"
        return await caller.run_child(SOURCE, "kid.js", {}, modules)

    async def main() -> None:
        nonlocal modules
        forks = Forks(tmp_path / "runs.db")
        forks.workflow = kid  # type: ignore[method-assign]
        await forks.run("run", "return workflow('kid');")
        await forks.fork("same", "run")
        assert len(forks.asked) == 3
        modules = {"lib.mjs": f"// edited\n{LIB['lib.mjs']}"}
        explained = await forks.explain("run")
        assert explained.reused == 3, "its calls are the same"
        modules = OTHER
        await forks.fork("edited", "run")
        assert forks.asked[3:] == ["one!", "two!", "three!"]
        await forks.store.aclose()

    trio.run(main)


def test_a_run_that_is_moved_has_its_modules_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        forks = Forks(tmp_path / "runs.db")
        await forks.run("run", SOURCE, modules=LIB)
        await forks.store.export("run", tmp_path / "moved.db")
        await forks.store.aclose()
        other = SqliteStore.open(tmp_path / "moved.db")
        assert (await replay(await other.load("run"))).is_same
        await other.aclose()

    trio.run(main)


def test_a_start_with_other_modules_is_another_start(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore.open(tmp_path / "runs.db", durability="relaxed")

        async def start(run_id: str, modules: dict[str, str]) -> None:
            await begin(store, run_id, SOURCE, "w.js", {}, RunOptions(modules=modules), start_key="k")

        await start("a", LIB)
        with pytest.raises(StartedBefore):
            await start("b", dict(LIB))
        for modules in (OTHER, {}):
            with pytest.raises(AlreadyThere):
                await start("b", modules)
        await store.aclose()

    trio.run(main)
