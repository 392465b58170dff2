"""A ceiling on costs that a worker has for each run, whatever the run was submitted with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, Host, RunOptions, SqliteStore, Worker, submit_workflow

from ..resume.sleepers import AT_ONCE, DEADLINE_S, Clock, opened, until

# Each answer costs a dollar.
ASKS = """export default await Promise.all([1, 2, 3, 4, 5].map(async each => {
  try { return await agent(`call ${each}`) } catch (error) { return error.message }
}))"""
SLEEPS = """import { ask } from 'workflow:extra'
const first = await agent('call 1'); await ask('on?')
const rest = []
for (const each of [2, 3, 4])
  try { rest.push(await agent(`call ${each}`)) } catch (error) { rest.push(error.message) }
export default [first, ...rest]"""
REFUSED = "$2.0000 of the worker's ceiling of $2 are spent"


class Priced:
    """An agent that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.asked.append(call.prompt)
        return AgentAnswer(call.prompt, tokens=1, cost_usd=1.0)


def worker(store: SqliteStore, agent: Any) -> Host:
    options = RunOptions(agent=agent)
    return Host(store=store, options=options, worker=Worker(max_cost_usd=2), hibernation=AT_ONCE)


async def result(store: SqliteStore, run_id: str) -> Any:
    await until(store, run_id, "ended")
    ending = (await store.load(run_id)).ending
    assert ending is not None
    return ending.result


@pytest.mark.parametrize("own", [None, 1e6])
def test_each_run_is_held_to_it(own: float | None, tmp_path: Path) -> None:
    async def main() -> None:
        agent, options = Priced(), RunOptions(max_cost_usd=own, max_agents=1, agent_failure="throw")
        async with opened(tmp_path, Clock()) as store, worker(store, agent):
            for _ in range(2):  # what another run has spent is not charged to it
                agent.asked.clear()
                with trio.fail_after(DEADLINE_S):
                    told = await result(store, await submit_workflow(store, ASKS, options=options))
                assert agent.asked == ["call 1", "call 2"]
                assert told[:2] == agent.asked
                assert all(REFUSED in each for each in told[2:])

    trio.run(main)


def test_a_lower_one_of_the_run_holds(tmp_path: Path) -> None:
    async def main() -> None:
        agent, options = Priced(), RunOptions(max_cost_usd=1, max_agents=1, agent_failure="throw")
        async with opened(tmp_path, Clock()) as store, worker(store, agent):
            with trio.fail_after(DEADLINE_S):
                await until(store, await submit_workflow(store, ASKS, options=options), "ended")
            assert agent.asked == ["call 1"]

    trio.run(main)


def test_what_other_workers_have_spent_counts(tmp_path: Path) -> None:
    async def main() -> None:
        agent = Priced()
        async with opened(tmp_path, Clock()) as store:
            options = RunOptions(agent_failure="throw")
            with trio.fail_after(DEADLINE_S):
                async with worker(store, agent) as first:
                    run_id = await submit_workflow(store, SLEEPS, options=options)
                    await until(store, run_id, "asleep")
                    await first.drain(0)
                async with worker(store, agent) as second:
                    await second.answer(run_id, "2", "yes")
                    told = await result(store, run_id)
            assert agent.asked == ["call 1", "call 2"]
            assert told[:2] == agent.asked
            assert all(REFUSED in each for each in told[2:])

    trio.run(main)
