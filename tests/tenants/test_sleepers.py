"""A host wakes what it has put to sleep, and takes up what nobody has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
import trio
import trio.testing

from flowcage import AgentAnswer, AgentCall, Host, Outcome, RunCancelled
from flowcage.errors import CancelRequested
from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.run.core.inputs import Answered
from flowcage.host.tenants.started import sleepers
from flowcage.host.tenants.tenant import TenantLimits

from ..durable.sqlite_file import changed
from ..resume.sleepers import (
    DAY,
    DEADLINE_S,
    RESULT,
    SLEEPY,
    Agents,
    Clock,
    Heard,
    host,
    opened,
    poke,
    tick,
    until,
)


async def asleep(store: SqliteStore, count: int) -> None:
    """Wait until so many runs are asleep."""
    with trio.fail_after(DEADLINE_S):
        while len([each for each in await store.runs() if each.state == "asleep"]) < count:  # noqa: ASYNC110
            await trio.sleep(0.01)


def test_two_hundred_that_are_due_at_once_have_their_turns_two_at_a_time(tmp_path: Path) -> None:
    async def main() -> None:
        agents, clock, at_work, most = Agents(), Clock(), 0, 0

        async def agent(call: AgentCall) -> AgentAnswer:
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work)
            answer = await agents(call)
            at_work -= 1
            return answer

        limits = TenantLimits(max_queued=60)
        async with (
            opened(tmp_path, clock) as store,
            host(store, agent, max_runs=2, max_queued=120, default=limits) as made,
        ):
            handles = []
            for number in range(200):
                handles.append(await made.start(SLEEPY, args=number))
                await until(store, handles[-1].run_id, "asleep")
            await tick(clock, store, DAY)
            with trio.fail_after(DEADLINE_S):
                outcomes = [await each.outcome() for each in handles]
            assert made.statistics().scheduler.tally.running == 0
        assert [each.result for each in outcomes] == [RESULT] * 200
        assert sorted(agents.asked) == sorted(["before", "after <before>"] * 200)
        assert most <= 2

    trio.run(main)


def test_a_host_whose_runs_sleep_has_no_process_and_no_turn_for_them(tmp_path: Path) -> None:
    def processes() -> int:
        return len(psutil.Process().children(recursive=True))

    async def main() -> None:
        clock = Clock()
        async with opened(tmp_path, clock) as store, host(store, Agents(), max_runs=2) as made:
            await made.run("export default 1")
            handles = [await made.start(SLEEPY, args=number) for number in range(6)]
            await asleep(store, 6)
            await trio.testing.wait_all_tasks_blocked()
            assert made.statistics().scheduler.tally.running == 0
            assert [each.statistics() for each in handles] == [None] * 6
            with trio.fail_after(DEADLINE_S):  # the zygote, and spares that it makes in time
                while processes() > 4:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            assert (await made.run("export default 1")).result == 1  # there are turns
            await tick(clock, store, DAY)
            assert [(await each.outcome()).result for each in handles] == [RESULT] * 6

    trio.run(main)


def test_whoever_waits_in_run_waits_on_through_the_sleep(tmp_path: Path) -> None:
    async def main() -> None:
        clock, heard = Clock(), Heard()
        got: list[Outcome] = []
        async with (
            opened(tmp_path, clock) as store,
            host(store, Agents(), options={"listener": heard}) as made,
            trio.open_nursery() as nursery,
        ):

            async def call() -> None:
                got.append(await made.run(SLEEPY, run_id="r"))

            nursery.start_soon(call)
            await asleep(store, 1)
            nursery.start_soon(call)  # joins it
            await trio.testing.wait_all_tasks_blocked()
            await tick(clock, store, DAY)
        assert [each.result for each in got] == [RESULT] * 2
        assert got[0].report.sleeps == 1
        assert heard.names("started", "asleep", "awake", "ended") == ["started", "asleep", "awake", "ended"]

    trio.run(main)


def test_a_live_run_sleeps_too(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        async with opened(tmp_path, clock) as store, host(store, Agents()) as made:
            async with made.open_run(
                "await SW.extra.sleep(86400000); export default await agent('a')"
            ) as live:
                async for event in live:
                    name = event.to_json()["type"]
                    if name == "asleep":
                        await tick(clock, store, DAY)
                    if name == "requested":
                        live.answer(event.request.id, "mine")  # type: ignore[attr-defined]
                outcome = await live.outcome()
            assert (outcome.result, outcome.report.sleeps) == ("mine", 1)

    trio.run(main)


@pytest.mark.parametrize("by", ["cancel", "close"])
def test_a_call_of_run_that_ends_in_the_sleep_of_its_run(tmp_path: Path, by: str) -> None:
    async def main() -> None:
        async with opened(tmp_path, Clock()) as store:
            async with host(store, Agents()) as made, trio.open_nursery() as nursery:

                async def call() -> None:
                    with trio.CancelScope() as scope:
                        nursery.start_soon(end, scope)
                        await made.run(SLEEPY, run_id="r")

                async def end(scope: trio.CancelScope) -> None:
                    await asleep(store, 1)
                    await trio.testing.wait_all_tasks_blocked()
                    if by == "cancel":
                        scope.cancel()
                    else:
                        nursery.cancel_scope.cancel(reason="host shutdown")

                nursery.start_soon(call)
            summary = await store.get("r")
            if by == "cancel":
                assert (summary.state, summary.verdict) == ("ended", "cancelled")
            else:  # it is left asleep, to be woken by another host
                assert (summary.state, summary.verdict) == ("asleep", None)

    trio.run(main)


ASKING = """
const before = await agent('before');
const said = await SW.extra.ask('ready?');
export default [before, said, await agent('after')];"""


@pytest.mark.parametrize("by", ["answer", "cancel"])
def test_a_run_that_waits_for_a_person_sleeps_until_there_is_an_answer(tmp_path: Path, by: str) -> None:
    async def main() -> None:
        agents, heard = Agents(), Heard()
        async with (
            opened(tmp_path, Clock()) as one,
            opened(tmp_path, Clock()) as two,
            host(one, agents, options={"listener": heard}) as made,
        ):
            handle = await made.start(ASKING)
            assert (await until(one, handle.run_id, "asleep")).wake_at is None
            with trio.fail_after(DEADLINE_S):
                if by == "answer":
                    assert await two.answer(handle.run_id, Answered("2", "yes"))
                    outcome = await handle.outcome()
                    assert outcome.result == ["<before>", "yes", "<after>"]
                    assert outcome.report.sleeps == 1
                else:
                    await two.cancel(handle.run_id, "no use")
                    with pytest.raises(CancelRequested, match="no use"):
                        await handle.outcome()
        names = heard.names("asleep", "awake", "question_asked", "question_answered", "ended")
        answered = ["question_answered"] if by == "answer" else []
        # It is told again after the waking, unless the answer was read from the store before.
        others = [name for name in names[1:] if name != "question_asked"]
        assert (names[0], others) == ("question_asked", ["asleep", "awake", *answered, "ended"])
        assert agents.asked == (["before", "after"] if by == "answer" else ["before"])

    trio.run(main)


# ---- what nobody has -------------------------------------------------------------------------


@pytest.mark.parametrize("left", ["asleep", "running", "queued"])
def test_a_host_takes_up_what_nobody_has(tmp_path: Path, left: str) -> None:
    async def main() -> None:
        clock, agents = Clock(), Agents()
        blocked = trio.Event()

        async def blocks(call: AgentCall) -> AgentAnswer:
            if call.prompt.startswith("after"):
                blocked.set()
                await trio.sleep_forever()
            return await agents(call)

        async with opened(tmp_path, clock) as store:
            async with host(store, blocks, takes_up=left == "queued") as made:
                handle = await made.start(SLEEPY, tenant="t")
                await until(store, handle.run_id, "asleep")
                if left != "asleep":
                    await tick(clock, store, DAY)
                    await blocked.wait()
            if left == "running":
                assert await store.claim(handle.run_id, reopen=True)  # and then it is gone
        async with opened(tmp_path, clock) as store, host(store, agents, takes_up=True) as made:
            await tick(clock, store, DAY)
            summary = await until(store, handle.run_id, "ended")
            assert (summary.verdict, summary.tenant) == ("completed", "t")
            assert "t" in made.tenants()
            ending = (await store.load(handle.run_id)).ending
            assert ending is not None
            assert ending.result == RESULT
        assert agents.asked == ["before", "after <before>"]

    trio.run(main)


def test_a_host_that_takes_up_nothing_leaves_it(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        async with opened(tmp_path, clock) as store:
            async with host(store, Agents()) as made:
                handle = await made.start(SLEEPY)
                await until(store, handle.run_id, "asleep")
            async with host(store, Agents()) as made:
                await tick(clock, store, DAY)
                own = await made.start(SLEEPY)
                await until(store, own.run_id, "asleep")
                await tick(clock, store, DAY)
                assert (await own.outcome()).result == RESULT
                assert (await store.get(handle.run_id)).state == "asleep"
            with pytest.raises(ValueError, match="takes_up needs a store"):
                Host(takes_up=True)

    trio.run(main)


def test_two_hosts_that_take_up_what_is_due_carry_each_run_out_once(tmp_path: Path) -> None:
    async def main() -> None:
        clock, agents = Clock(), Agents()
        async with opened(tmp_path, clock) as one:
            async with host(one, agents) as made:
                run_ids = [(await made.start(SLEEPY)).run_id for _ in range(40)]
                await asleep(one, 40)
            async with (
                opened(tmp_path, clock) as two,
                host(one, agents, takes_up=True),
                host(two, agents, takes_up=True),
            ):
                await tick(clock, one, DAY)
                for run_id in run_ids:
                    assert (await until(one, run_id, "ended")).verdict == "completed"
        assert sorted(agents.asked) == sorted(["before", "after <before>"] * 40)

    trio.run(main)


def test_a_caller_whose_run_another_host_wakes_is_told_how_it_ended(tmp_path: Path) -> None:
    async def main() -> None:
        clock, agents = Clock(), Agents()
        async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
            got: list[Outcome] = []
            async with host(one, agents) as made:
                handle = await made.start(SLEEPY)

                async def call() -> None:
                    got.append(await made.run(SLEEPY))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(call)
                    await asleep(one, 2)
                    await trio.testing.wait_all_tasks_blocked()
                    clock.now += DAY
                    async with host(two, agents, takes_up=True):
                        await poke(two)
                        with trio.fail_after(DEADLINE_S):
                            assert (await handle.outcome()).result == RESULT
                            while not got:  # noqa: ASYNC110
                                await trio.sleep(0.01)
            assert got[0].result == RESULT
        assert sorted(agents.asked) == sorted(["before", "after <before>"] * 2)

    trio.run(main)


def test_a_run_that_is_ended_from_outside_in_its_sleep_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleepers, "LOOK_SECONDS", 0.05)

    async def main() -> None:
        clock = Clock()
        async with (
            opened(tmp_path, clock) as one,
            opened(tmp_path, clock) as two,
            host(one, Agents()) as made,
        ):
            handle = await made.start(SLEEPY)
            await until(one, handle.run_id, "asleep")
            epoch = await two.claim(handle.run_id)
            assert epoch is not None
            told = {"kind": "cancelled", "message": "by somebody"}
            await two.end(handle.run_id, epoch, Ending("cancelled", error=told))
            with trio.fail_after(DEADLINE_S), pytest.raises(RunCancelled, match="by somebody"):
                await handle.outcome()

    trio.run(main)


# ---- what cannot be taken up -----------------------------------------------------------------


class Counted(SqliteStore):
    """Counts how often runs were read."""

    loads = 0

    async def load(self, run_id: str) -> Any:
        self.loads += 1
        return await super().load(run_id)


@pytest.mark.parametrize("why", ["damaged", "no handler"])
def test_what_cannot_be_taken_up_does_not_keep_the_host_busy(tmp_path: Path, why: str) -> None:
    async def workflows(_caller: object, _request: object) -> None:
        return None

    async def main() -> None:
        clock = Clock()
        more = {"workflow": workflows} if why == "no handler" else {}
        async with opened(tmp_path, clock) as store, host(store, Agents(), options=more) as made:
            handle = await made.start(SLEEPY)
            await until(store, handle.run_id, "asleep")
            good = await made.start(SLEEPY)
            await until(store, good.run_id, "asleep")
        path = tmp_path / "runs.db"
        if why == "damaged":
            changed(path, "UPDATE entries SET data = x'00' WHERE seq = 2")
        clock.now += DAY
        store = Counted.open(path, StoreOptions(clock=clock), durability="relaxed")
        assert isinstance(store, Counted)
        try:
            handlers = more if why == "damaged" else {}
            async with host(store, Agents(), options=handlers, takes_up=True):
                for _ in range(5):
                    await poke(store)
                    await trio.testing.wait_all_tasks_blocked(0.02)
                with trio.fail_after(DEADLINE_S):
                    while store.loads < 2:  # noqa: ASYNC110
                        await trio.sleep(0.01)
                for _ in range(5):
                    await poke(store)
                    await trio.testing.wait_all_tasks_blocked(0.02)
                assert store.loads <= 2 * 2 + 1  # of each run twice
                assert (await store.get(handle.run_id)).state in ("asleep", "queued")
        finally:
            await store.aclose()

    trio.run(main)


class Away(SqliteStore):
    """Cannot be read where a run was to be taken up, once."""

    left = 1

    async def load(self, run_id: str) -> Any:
        if self.left:
            self.left -= 1
            raise StoreFailed("the server is away")
        return await super().load(run_id)


def test_a_run_whose_store_was_away_is_taken_up_soon(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        async with opened(tmp_path, clock) as store, host(store, Agents()) as made:
            run_id = (await made.start(SLEEPY)).run_id
            await until(store, run_id, "asleep")
        clock.now += DAY
        store = Away.open(tmp_path / "runs.db", StoreOptions(clock=clock), durability="relaxed")
        assert isinstance(store, Away)
        try:
            async with host(store, Agents(), takes_up=True):
                with trio.fail_after(sleepers.REFUSED_SECONDS / 2):
                    await until(store, run_id, "ended")
            assert store.left == 0
        finally:
            await store.aclose()

    trio.run(main)
