"""Runs that fall asleep and are woken: nothing is asked twice, and all counts are those of one life."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, RequestRejected, RunOptions, RunTimedOut
from flowcage.host.durable.errors import RunExpired
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.kept import KeptRun, take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.resume.sleep.lives import to_the_end
from flowcage.host.run.options import Caller
from flowcage.host.run.past.hibernation import Hibernation
from flowcage.host.run.run import Run
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.children import Launcher
from .sleepers import AT_ONCE, DAY, DEADLINE_S, RESULT, SLEEPY, Agents, Clock, Heard, opened, tick, until

KID = """
const a = await agent(args);
await SW.extra.sleep(86400000);
export default [a, await agent(args + '2')];"""
NESTED = """
const kids = await parallel(['x', 'y', 'z'].map((name) => () => workflow('kid', name)));
export default [...kids, await agent('last'), budget.spent()];"""


async def kid(caller: Caller, request: WorkflowRequest) -> Json:
    return await caller.run_child(KID, "kid.js", request.args)


class Sleeper:
    """One run in a store whose clock is moved by a day whenever it is asleep."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.clock = Clock()
        self.agents = Agents()
        self.heard = Heard()
        self.launcher = Launcher()
        given = {"agent": self.agents, "listener": self.heard, "launcher": self.launcher, "workflow": kid}
        self.options = RunOptions(**{"timeout_seconds": 120.0, **given, **options})

    def life(self, kept: KeptRun, policy: Hibernation = AT_ONCE) -> Run:
        return kept.run(self.options, hibernation=policy)

    async def begin(self, store: SqliteStore, source: str) -> KeptRun:
        return await begin(store, "r", source, "w.js", {}, self.options)

    def run(self, source: str = SLEEPY) -> Outcome:
        """To the end; the clock is moved by a day each time."""

        async def main() -> Outcome:
            async with opened(self.path, self.clock) as store:
                with trio.fail_after(DEADLINE_S):
                    kept = await self.begin(store, source)
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._move, store)
                        outcome = await to_the_end(store, kept, self.life)
                        nursery.cancel_scope.cancel()
                    return outcome

        try:
            return trio.run(main)
        except ExceptionGroup as group:  # of the nursery here
            raise group.exceptions[0] from None

    async def _move(self, store: SqliteStore) -> None:
        while True:
            await until(store, "r", "asleep")
            await tick(self.clock, store, DAY)
            await until(store, "r", "running", "ended")


def test_a_run_that_sleeps_ends_as_one_that_does_not(tmp_path: Path) -> None:
    sleeper = Sleeper(tmp_path)
    outcome = sleeper.run()

    sleeper.launcher.assert_nothing_left()
    assert outcome.result == RESULT
    assert sleeper.agents.asked == ["before", "after <before>"]
    assert len(sleeper.launcher.pids) == 2
    report = outcome.report
    assert (report.sleeps, report.usage.agents, report.usage.tokens) == (1, 2, 20)
    assert report.to_json()["sleeps"] == 1
    assert (report.census.completed, report.census.cancelled) == (2, 0)
    names = sleeper.heard.names("started", "sleep", "asleep", "awake", "ended", "agent_cancelled")
    assert names == ["started", "sleep", "asleep", "awake", "ended"]
    assert [event.seq for event in sleeper.heard.events] == list(range(1, len(sleeper.heard.events) + 1))


def test_child_workflows_sleep_with_their_run(tmp_path: Path) -> None:
    sleeper = Sleeper(tmp_path, max_children=2)
    outcome = sleeper.run(NESTED)

    sleeper.launcher.assert_nothing_left()
    kids = [[f"<{name}>", f"<{name}2>"] for name in "xyz"]
    assert outcome.result == [*kids, "<last>", 70]
    assert sorted(sleeper.agents.asked) == sorted(["last", *"xyz", "x2", "y2", "z2"])
    assert outcome.report.sleeps >= 2  # the third waits for a place of the first two
    ended = sleeper.heard.names("child_ended", "ended", "agent_cancelled")
    assert (ended.count("child_ended"), ended.count("agent_cancelled")) == (3, 0)


def test_a_wait_before_another_attempt_is_slept_through(tmp_path: Path) -> None:
    tries: list[int] = []

    async def agent(call: AgentCall) -> AgentAnswer:
        tries.append(call.attempt)
        if call.attempt == 1:
            raise RequestRejected("busy")
        return AgentAnswer("yes")

    sleeper = Sleeper(tmp_path, agent=agent)
    outcome = sleeper.run("export default await agent('a', {retry: {maxAttempts: 2, backoffMs: 60000}})")
    assert (outcome.result, tries, outcome.report.sleeps) == ("yes", [1, 2], 1)
    assert outcome.census.failed == 0


def test_caps_and_budgets_hold_through_sleeps(tmp_path: Path) -> None:
    source = """
    const got = [];
    for (let n = 0; n < 4; n++) {
      got.push(await agent('a' + n).catch((error) => error.message));
      await SW.extra.sleep(86400000);
    }
    export default [got, budget.spent()];"""
    outcome = Sleeper(tmp_path, budget_tokens=20).run(source)
    assert isinstance(outcome.result, list)
    got, spent = outcome.result
    assert isinstance(got, list)
    assert got[:2] == ["<a0>", "<a1>"]
    assert all("20 of the budget's 20 tokens are spent" in str(each) for each in got[2:])
    assert (spent, outcome.report.sleeps, outcome.census.refused) == (20, 4, 2)


@pytest.mark.parametrize(
    ("policy", "source"),
    [
        (Hibernation(0, 86401, 0), SLEEPY),  # too short a wait
        (Hibernation(0, 1, 1e12), SLEEPY),  # too much CPU for that
        (Hibernation(3600, 1, 0), SLEEPY),  # not idle for long enough
        (AT_ONCE, "await parallel([() => SW.extra.sleep(86400000), () => agent('blocks')])"),
    ],
)
def test_a_run_stays_awake_where_sleep_is_not_worth_it_or_somebody_is_at_work(
    tmp_path: Path, policy: Hibernation, source: str
) -> None:
    blocked = trio.Event()

    async def agent(call: AgentCall) -> AgentAnswer:
        if call.prompt == "blocks":
            await trio.sleep_forever()
        return AgentAnswer("x")

    async def main() -> None:
        sleeper = Sleeper(tmp_path, agent=agent)
        looked = 0

        async with opened(tmp_path, sleeper.clock) as store:
            kept = await sleeper.begin(store, source)
            run = sleeper.life(kept, policy)
            alarm = run.driver.alarm

            def counted(at: float, callback: Any) -> None:
                nonlocal looked
                if getattr(callback, "__name__", "") == "_look":
                    looked += 1
                    if looked == 3 or policy.idle_seconds:
                        blocked.set()
                alarm(at, callback)

            run.driver.alarm = counted  # type: ignore[method-assign]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(kept.execute, run)
                with trio.fail_after(DEADLINE_S):
                    await blocked.wait()
                assert (await store.get("r")).state == "running"
                assert run.driver.asleep is None
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_clock_that_jumps_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        sleeper = Sleeper(tmp_path)
        clock = sleeper.clock
        async with opened(tmp_path, clock) as store:
            kept = await sleeper.begin(store, SLEEPY)
            outcome: list[Outcome] = []

            async def run() -> None:
                outcome.append(await to_the_end(store, kept, sleeper.life))

            with trio.fail_after(DEADLINE_S):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(run)
                    await until(store, "r", "asleep")
                    await tick(clock, store, -DAY)  # it is due in two days now
                    await tick(clock, store, DAY)
                    assert (await store.get("r")).state == "asleep"
                    await tick(clock, store, DAY)
        assert outcome[0].result == RESULT
        assert sleeper.agents.asked == ["before", "after <before>"]

    trio.run(main)


def test_a_run_that_is_woken_too_early_goes_on_sleeping_for_the_time_that_is_left(tmp_path: Path) -> None:
    async def main() -> None:
        sleeper = Sleeper(tmp_path)
        async with opened(tmp_path, sleeper.clock) as store:
            kept = await sleeper.begin(store, SLEEPY)
            for asleep in (1, 2, 3):  # each time a third of the day has passed
                with trio.move_on_after(DEADLINE_S):
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(to_the_end, store, kept, sleeper.life)
                        summary = await until(store, "r", "asleep")
                        while summary.sleeps < asleep:
                            summary = await store.get("r")
                        nursery.cancel_scope.cancel()
                assert summary.wake_at is not None
                left = summary.wake_at - sleeper.clock.now
                assert abs(left - DAY * (4 - asleep) / 3) < 60_000  # what the lives themselves took
                sleeper.clock.now += DAY // 3
                kept = await take_up(store, "r")
            outcome = await to_the_end(store, kept, sleeper.life)
            assert outcome.result == RESULT
            assert sleeper.agents.asked == ["before", "after <before>"]

    trio.run(main)


def test_a_host_that_dies_between_its_claim_and_its_first_write_makes_no_sleep_longer(tmp_path: Path) -> None:
    async def main() -> None:
        sleeper = Sleeper(tmp_path)
        clock = sleeper.clock
        async with opened(tmp_path, clock) as store:
            kept = await sleeper.begin(store, SLEEPY)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(to_the_end, store, kept, sleeper.life)
                await until(store, "r", "asleep")
                nursery.cancel_scope.cancel()
        for _ in range(2):
            clock.now += DAY // 2
            async with opened(tmp_path, clock) as store:
                await store.claim("r")  # and then it is gone
        async with opened(tmp_path, clock) as store:
            kept = await take_up(store, "r")
            with trio.fail_after(DEADLINE_S):  # it does not wait
                outcome = await kept.execute(sleeper.life(kept))
            assert (outcome.result, sleeper.agents.asked) == (RESULT, ["before", "after <before>"])

    trio.run(main)


def test_the_time_in_which_a_run_was_asleep_does_not_count_for_its_timeout(tmp_path: Path) -> None:
    outcome = Sleeper(tmp_path, timeout_seconds=600.0).run()
    assert outcome.result == RESULT  # a day is longer than ten minutes


def test_active_time_is_that_of_all_lives_together(tmp_path: Path) -> None:
    async def main() -> None:
        sleeper = Sleeper(tmp_path, timeout_seconds=600.0)
        async with opened(tmp_path, sleeper.clock) as store:
            kept = await sleeper.begin(store, SLEEPY)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(to_the_end, store, kept, sleeper.life)
                await until(store, "r", "asleep")
                nursery.cancel_scope.cancel()
            record = await store.load("r")
            kept = await take_up(store, "r")
            past = kept._past
            assert past is not None
            assert past.active_seconds == record.entries[-1].at - record.entries[0].at
            past.active_seconds = 600.0
            with pytest.raises(RunTimedOut):
                await kept.execute(sleeper.life(kept))
            summary = await store.get("r")
            assert (summary.state, summary.verdict) == ("ended", "wall_timeout")

    trio.run(main)


def test_a_run_that_expires_in_its_sleep_is_ended_when_it_is_woken(tmp_path: Path) -> None:
    sleeper = Sleeper(tmp_path, expires_seconds=3600.0)
    with pytest.raises(RunExpired, match="expired at 2023-11-1") as caught:
        sleeper.run()
    assert (caught.value.verdict, caught.value.report.sleeps) == ("expired", 1)
    assert sleeper.agents.asked == ["before"]

    async def main() -> None:
        async with opened(tmp_path, sleeper.clock) as store:
            summary = await store.get("r")
            assert (summary.state, summary.verdict) == ("ended", "expired")
            with pytest.raises(NotResumable, match="has ended: expired"):
                await take_up(store, "r")

    trio.run(main)


def test_a_run_that_is_cancelled_over_its_falling_asleep_goes_on(tmp_path: Path) -> None:
    """An answer or a request to cancel that comes in the last moment is not slept over."""

    async def main() -> None:
        sleeper = Sleeper(tmp_path)
        async with opened(tmp_path, sleeper.clock) as store:
            kept = await sleeper.begin(store, SLEEPY)
            await store.cancel("r")
            lives: list[Run] = []

            def life(kept: KeptRun) -> Run:
                lives.append(sleeper.life(kept, AT_ONCE if not lives else Hibernation(3600)))
                return lives[-1]

            with trio.fail_after(DEADLINE_S):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(to_the_end, store, kept, life)
                    while len(lives) < 2:  # noqa: ASYNC110
                        await trio.sleep(0.01)
                    summary = await store.get("r")
                    assert (summary.state, summary.epoch, summary.sleeps) == ("running", 1, 0)
                    nursery.cancel_scope.cancel()
        assert sleeper.agents.asked == ["before"]

    trio.run(main)
