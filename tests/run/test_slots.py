"""Agents wait for their slots in a queue, in the order of their calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from flowcage.host import AgentAnswer, AgentCall, RunOptions, run_workflow
from flowcage.host.run.slots import Slots, StartQueue

from ..host.children import Launcher
from ..host.runs import agents, run


def test_queued_agents_have_no_task() -> None:
    launcher = Launcher()

    async def main() -> None:
        all_begun = trio.Event()
        begun: list[str] = []

        async def hang(call: AgentCall) -> AgentAnswer:
            begun.append(call.id)
            if len(begun) == 3:
                all_begun.set()
            await trio.sleep_forever()
            raise AssertionError

        options = RunOptions(agent=hang, max_agents=3, launcher=launcher)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: run_workflow(agents(500, "a"), options=options))
            await all_begun.wait()
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().tasks_living < 30
            nursery.cancel_scope.cancel()
        assert begun == ["1", "2", "3"]

    trio.run(main)
    launcher.assert_nothing_left()


def test_an_agent_that_was_queued_is_not_begun_by_the_end_of_the_run() -> None:
    begun: list[str] = []

    async def hang(call: AgentCall) -> AgentAnswer:
        begun.append(call.id)
        await trio.sleep_forever()
        raise AssertionError

    source = "for (let i = 0; i < 50; i++) agent('x'); await SW.extra.sleep(50); export default 1"
    assert run(source, agent=hang, max_agents=2).result == 1
    assert begun == ["1", "2"]


@pytest.mark.parametrize("outer", [None, Slots(2)])
def test_whoever_does_not_want_a_slot_any_more_passes_it_on(outer: Slots | None) -> None:
    queue, begun = StartQueue(outer), []

    def begin(name: str, wanted: bool) -> Callable[[], bool]:
        def begin() -> bool:
            begun.append(name)
            return wanted

        return begin

    queue.join(begin("a", True))
    for name in "bcd":
        queue.join(begin(name, name == "d"))
    assert begun == ["a"]  # the next begins once this one's task is running
    queue.started()
    assert begun == ["a", "b", "c", "d"]
    queue.started()
    queue.release()
    queue.release()
    queue.join(begin("e", False))
    queue.join(begin("f", True))
    assert begun[-2:] == ["e", "f"]
