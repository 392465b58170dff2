"""Ceilings that a worker has on every limit that a run can ask for, whatever it was submitted with."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import Host, RunOptions, SqliteStore, Worker, submit_workflow
from flowcage.host.durable.records import RunRecord
from flowcage.host.resume.new.ceilings import Ceilings
from flowcage.host.resume.sleep.outcomes import outcome_of
from flowcage.host.run.limits import NAMES
from flowcage.protocol.limits import MAX_LIMIT, Limits

from ..resume.sleepers import AT_ONCE, DEADLINE_S, Agents, Clock, opened, until

HIGH = dict.fromkeys(NAMES, 2**40) | {"memoryBytes": 2**39}
LOW = {
    "memoryBytes": 64 * 2**20,
    "stackBytes": 2**19,
    "stepTimeoutMs": 4_000,
    "cpuSeconds": 30,
    "addressSpaceBytes": 2**30,
    "maxSleepMs": 1_000,
    "maxMessageBytes": 2**20,
    "maxPendingRequests": 50,
    "maxQueuedBytes": 2**19,
    "timeoutSeconds": 500,
    "answerGraceSeconds": 4,
    "maxReceivedBytes": 2**25,
    "maxAgents": 2,
    "maxTotalAgents": 3,
    "maxChildren": 1,
    "maxTotalChildren": 5,
}
ASKS_FIVE = """export default await Promise.all([1, 2, 3, 4, 5].map(async each => {
  try { return await agent(`call ${each}`) } catch (error) { return error.kind ?? error.message }
}))"""


def test_there_is_a_ceiling_for_each_limit() -> None:
    assert set(LOW) == set(NAMES)


def test_each_limit_is_the_lower_of_both() -> None:
    from flowcage.host.run.limits import host_limits, with_limits

    def named(options: RunOptions) -> dict[str, float]:
        return options.limits.to_wire() | host_limits(options)

    high, low = with_limits(RunOptions(), HIGH), with_limits(RunOptions(), LOW)
    assert named(Ceilings(LOW).options(high)) == LOW
    assert named(Ceilings(HIGH).options(low)) == LOW
    assert named(Ceilings().options(high)) == HIGH
    some = Ceilings({"cpuSeconds": 5, "retries": 2}).within(Ceilings({"cpuSeconds": 4, "memoryBytes": 9}))
    assert named(some.options(low)) == LOW | {"cpuSeconds": 4, "memoryBytes": 9}


def test_an_address_space_that_was_not_asked_for_is_that_of_the_ceiling() -> None:
    options = Ceilings({"addressSpaceBytes": 2**28}).options(RunOptions(limits=Limits(memory_bytes=2**30)))
    assert (options.limits.address_space_bytes, options.limits.memory_bytes) == (2**28, 2**28)


@pytest.mark.parametrize(
    "most", [{"cpuSecond": 1}, {"cpuSeconds": 0}, {"retries": -1}, {"retries": 0.5}, {"maxAgents": "2"}]
)
def test_what_no_limit_can_be_is_refused(most: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cpuSecond|retries|maxAgents"):
        Worker(limits=most)


def worker(store: SqliteStore, agent: Any, limits: Any) -> Host:
    options = RunOptions(agent=agent)
    return Host(store=store, options=options, worker=Worker(limits=limits), hibernation=AT_ONCE)


async def carried_out(store: SqliteStore, source: str, **more: Any) -> RunRecord:
    with trio.fail_after(DEADLINE_S):
        run_id = await submit_workflow(store, source, **more)
        await until(store, run_id, "ended")
    return await store.load(run_id)


def test_a_run_that_asks_for_more_is_held_to_the_ceilings_and_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        agent = Agents()
        async with opened(tmp_path, Clock()) as store, worker(store, agent, LOW | {"retries": 1}):
            record = await carried_out(store, ASKS_FIVE, limits=HIGH, retries=9)
            assert len(agent.asked) == 3
            assert record.rules.max_agents == 2  # what everybody reads its history by
            notes = outcome_of(record).report.diagnostics
            (note,) = [each for each in notes if each["kind"] == "limits_lowered"]
            for name in (*NAMES, "retries"):
                assert f"{name} from " in str(note["message"])

    trio.run(main)


def test_a_run_that_asks_for_less_has_that(tmp_path: Path) -> None:
    async def main() -> None:
        agent = Agents()
        async with (
            opened(tmp_path, Clock()) as store,
            worker(store, agent, {"maxTotalAgents": 4, "retries": 3}),
        ):
            record = await carried_out(store, ASKS_FIVE, limits={"maxTotalAgents": 2})
            assert len(agent.asked) == 2
            assert "limits_lowered" not in str(outcome_of(record).report.diagnostics)

    trio.run(main)


def test_ceilings_may_be_by_tenant(tmp_path: Path) -> None:
    async def main() -> None:
        agent = Agents()
        limits = {"a": {"maxTotalAgents": 1}, "b": {}}
        async with opened(tmp_path, Clock()) as store, worker(store, agent, lambda tenant: limits[tenant]):
            for tenant, calls in (("a", 1), ("b", 5)):
                agent.asked.clear()
                await carried_out(store, ASKS_FIVE, tenant=tenant)
                assert len(agent.asked) == calls

    trio.run(main)


def test_memory_and_cpu_of_the_child_are_held(tmp_path: Path) -> None:
    async def main() -> None:
        limits = {"memoryBytes": 16 * 2**20, "cpuSeconds": 1, "stepTimeoutMs": 60_000}
        async with opened(tmp_path, Clock()) as store, worker(store, Agents(), limits):
            high = {"memoryBytes": 2**30, "cpuSeconds": MAX_LIMIT, "stepTimeoutMs": 2**40}
            record = await carried_out(store, "export default 'x'.repeat(2 ** 20).split('')", limits=high)
            assert record.summary.verdict == "memory_limit"
            record = await carried_out(store, "for (;;) {}", limits=high)
            assert record.summary.verdict == "cpu_limit"

    trio.run(main)


def test_what_a_run_was_begun_with_stays(tmp_path: Path) -> None:
    source = """import { ask } from 'workflow:extra'
const found = [await agent('call 1')]; await ask('on?')
for (const each of [2, 3]) try { found.push(await agent(`call ${each}`)) } catch { found.push('') }
export default found"""

    async def main() -> None:
        agent = Agents()
        async with opened(tmp_path, Clock()) as store:
            with trio.fail_after(DEADLINE_S):
                async with worker(store, agent, {"maxTotalAgents": 2}) as first:
                    run_id = await submit_workflow(store, source)
                    await until(store, run_id, "asleep")
                    await first.drain(0)
                async with worker(store, agent, {"maxTotalAgents": 1}) as second:
                    await second.answer(run_id, "2", "yes")
                    await until(store, run_id, "ended")
            assert agent.asked == ["call 1", "call 2"]
            assert (await store.load(run_id)).rules.max_total_agents == 2

    trio.run(main)


@pytest.mark.parametrize("limits", [{"maxMessageBytes": 50}, {}])
def test_a_run_that_cannot_be_sent_ends_at_once_and_holds_up_no_other(
    limits: dict[str, int], tmp_path: Path
) -> None:
    async def main() -> None:
        async with opened(tmp_path, Clock()) as store, worker(store, Agents(), {}) as works:
            args = "" if limits else "x" * 9 * 2**20
            record = await carried_out(store, "export default 1", limits=limits, args=args, retries=5)
            assert (record.summary.verdict, record.summary.tries) == ("not_started", 0)
            assert works._taking is not None
            assert works._taking._may_take()  # it does not take itself for one that can start no child
            assert (await carried_out(store, "export default 1")).summary.verdict == "completed"

    trio.run(main)


def test_no_rule_is_forgotten() -> None:
    """Each number that a submitter chooses is a limit with a ceiling, or is named here with what holds it."""
    numbers = {each.name for each in fields(RunOptions) if str(each.type).split(" ")[0] in ("int", "float")}
    named = {each.name for each in fields(RunOptions) if each.name in Ceilings(LOW)._fields}
    assert numbers - named == {"max_cost_usd", "budget_tokens", "expires_seconds"}
