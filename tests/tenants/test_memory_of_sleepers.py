"""What is left in a host of a run that is asleep: its handle, and nothing of its life."""

from __future__ import annotations

import gc
from pathlib import Path

import trio
import trio.testing

from flowcage.host.resume.keeper import Keeper
from flowcage.host.run.core.tree import Tree
from flowcage.host.run.driver import Driver
from flowcage.host.run.run import WorkflowRun

from ..resume.sleepers import DAY, DEADLINE_S, RESULT, SLEEPY, Agents, Clock, host, opened, tick, until

OF_A_LIFE = (WorkflowRun, Driver, Tree, Keeper)


def test_nothing_of_the_life_of_a_run_is_kept_while_it_is_asleep(tmp_path: Path) -> None:
    def left() -> list[object]:
        gc.collect()
        return [each for each in gc.get_objects() if isinstance(each, OF_A_LIFE)]

    async def main() -> None:
        clock = Clock()
        before = len(left())
        async with opened(tmp_path, clock) as store, host(store, Agents()) as made:
            results = []

            async def call() -> None:
                results.append((await made.run(SLEEPY)).result)

            async with trio.open_nursery() as nursery:
                handle = await made.start(SLEEPY)
                nursery.start_soon(call)
                await until(store, handle.run_id, "asleep")
                with trio.fail_after(DEADLINE_S):
                    while [each.state for each in await store.runs()] != ["asleep"] * 2:  # noqa: ASYNC110
                        await trio.sleep(0.01)
                await trio.testing.wait_all_tasks_blocked()
                assert len(left()) == before
                await tick(clock, store, DAY)
                assert (await handle.outcome()).result == RESULT
            assert results == [RESULT]

    trio.run(main)
