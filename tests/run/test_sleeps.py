"""``sleep()``: on the host's clock, without a slot and without a task."""

from __future__ import annotations

from functools import partial

import trio
import trio.testing

from flowcage.host import AgentAnswer, AgentCall, RunOptions, run_workflow
from flowcage.host.run.alarms import Alarms

from ..host.children import Launcher
from ..host.runs import run


def test_sleeps_hold_no_slot_and_have_no_task() -> None:
    launcher = Launcher()

    async def main() -> None:
        begun = trio.Event()

        async def hang(_call: AgentCall) -> AgentAnswer:
            begun.set()
            await trio.sleep_forever()
            raise AssertionError

        source = """const asleep = Array.from({length: 500}, () => SW.extra.sleep(1e9));
          export default parallel([() => agent('x'), ...asleep.map((p) => () => p)])"""
        options = RunOptions(agent=hang, max_agents=1, launcher=launcher)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: run_workflow(source, options=options))
            await begun.wait()
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().tasks_living < 30
            nursery.cancel_scope.cancel()

    trio.run(main)
    launcher.assert_nothing_left()


def test_of_alarms_at_the_same_time_the_first_set_rings_first() -> None:
    rung: list[str] = []

    async def main() -> None:
        alarms = Alarms()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alarms.watch)
            now = trio.current_time()
            for name, seconds in (("b", 5), ("c", 5), ("a", 1), ("d", 5)):
                alarms.at(now + seconds, partial(rung.append, name))
            alarms.at(now + 6, nursery.cancel_scope.cancel)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert rung == ["a", "b", "c", "d"]


def test_sleeps_end_in_the_order_of_their_time_and_then_of_their_calls() -> None:
    source = """const ended = [];
      await parallel([60, 0, 30, 0, 1].map((ms, n) => () => SW.extra.sleep(ms).then(() => ended.push(n))));
      export default ended"""
    assert run(source).result == [1, 3, 4, 2, 0]


def test_a_sleep_may_be_shorter_than_the_one_that_the_host_already_waits_for() -> None:
    source = """const long = SW.extra.sleep(1e9);
      await agent('x'); await SW.extra.sleep(1); await agent('y'); await SW.extra.sleep(2);
      export default 1"""
    assert run(source).result == 1


def test_ten_thousand_sleeps_at_once_end_together() -> None:
    source = """const all = Array.from({length: 10000}, () => SW.extra.sleep(1));
      export default (await Promise.all(all)).length"""
    assert run(source).result == 10_000
