"""Children that are ended while agents are at work: the run is told, asks and counts the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, RunOptions, RunTimedOut
from flowcage.host.durable.records import Summary
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.errors import HandlerFailed, LaunchFailed
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.keeper import Keeper
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.run.core.inputs import Due
from flowcage.host.run.options import Caller
from flowcage.host.run.past.diverged import ReplayDiverged
from flowcage.host.run.past.hibernation import Hibernation
from flowcage.host.run.past.past import PastWorkflow
from flowcage.host.run.run import Run
from flowcage.protocol.messages import Json, Ok, WorkflowRequest

from ..host.children import Launcher
from .sleepers import DEADLINE_S, Clock, Heard, opened

# Nobody looks how much CPU a child has used: how busy the machine is must not matter.
AT_ONCE = Hibernation(idle_seconds=0, cpu_factor=0, nap_seconds=0)
NEVER = AT_ONCE._replace(nap_seconds=None)

SOURCE = """
const a = await agent('quick');
const b = await agent('long ' + a);
const more = await parallel([() => agent('long x'), () => agent('quick y')]);
export default [a, b, more, budget.spent()];"""
RESULT = ["<quick>", "<long <quick>>", ["<long x>", "<quick y>"], 40]
KID = "export default [await agent('quick ' + args), await agent('long ' + args)];"
NESTED = "export default [await workflow('kid', 'k'), await agent('quick z'), budget.spent()];"


async def kid(caller: Caller, request: WorkflowRequest) -> Json:
    return await caller.run_child(KID, "kid.js", request.args)


class Napper:
    """One run, whose agents answer long prompts when no child of it is left."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.asked: list[str] = []
        self.heard = Heard()
        self.launcher = Launcher()
        self.long: Callable[[], Any] = self.until_nap
        given = {"agent": self.agent, "listener": self.heard, "launcher": self.launcher, "workflow": kid}
        self.options = RunOptions(**{"timeout_seconds": float(DEADLINE_S), **given, **options})
        self.run: Run

    async def agent(self, call: AgentCall) -> AgentAnswer:
        self.asked.append(call.prompt)
        if call.prompt.startswith("long"):
            await self.long()
        return AgentAnswer(f"<{call.prompt}>", tokens=10)

    def has_child(self) -> bool:
        return any(Path(f"/proc/{pid}").exists() for pid in self.launcher.pids)

    async def until_nap(self) -> None:
        with trio.fail_after(DEADLINE_S):
            while self.has_child():  # noqa: ASYNC110
                await trio.sleep(0.01)

    async def begin(self, store: SqliteStore, source: str, policy: Hibernation) -> Outcome:
        kept = await begin(store, "r", source, "w.js", {}, self.options)
        self.run = kept.run(self.options, hibernation=policy)
        return await kept.execute(self.run)

    def outcome(self, source: str = SOURCE, policy: Hibernation = AT_ONCE) -> Outcome:
        async def main() -> Outcome:
            async with opened(self.path, Clock()) as store:
                return await self.begin(store, source, policy)

        descriptors = len(os.listdir("/proc/self/fd"))
        try:
            return trio.run(main)
        finally:
            self.launcher.assert_nothing_left()
            assert len(os.listdir("/proc/self/fd")) == descriptors

    def resumed(self) -> Outcome:
        async def main() -> Outcome:
            async with opened(self.path, Clock()) as store:
                kept = await take_up(store, "r")
                return await kept.execute(kept.run(self.options, hibernation=AT_ONCE))

        try:
            return trio.run(main)
        finally:
            self.launcher.assert_nothing_left()

    def summary(self) -> Summary:
        async def main() -> Summary:
            async with opened(self.path, Clock()) as store:
                return await store.get("r")

        return trio.run(main)


def test_a_run_that_naps_ends_as_one_that_does_not(tmp_path: Path) -> None:
    napper = Napper(tmp_path)
    outcome = napper.outcome()

    assert outcome.result == RESULT
    assert sorted(napper.asked) == ["long <quick>", "long x", "quick", "quick y"]
    assert len(napper.launcher.pids) == napper.run.driver.napping.count + 1 >= 3
    usage, census = outcome.report.usage, outcome.report.census
    assert (usage.agents, usage.tokens, outcome.report.sleeps) == (4, 40, 0)
    assert (census.completed, census.cancelled) == (4, 0)
    allowance = napper.run.driver.allowance
    used = usage.user_cpu_seconds + usage.system_cpu_seconds
    assert used == pytest.approx(allowance.cpu_seconds)  # of all of its children
    assert 0 < allowance.told_cpu_seconds < allowance.cpu_seconds  # without what was repeated
    assert napper.heard.names("started", "asleep", "awake", "ended") == ["started", "ended"]
    assert [event.seq for event in napper.heard.events] == list(range(1, len(napper.heard.events) + 1))


def test_child_workflows_nap_with_their_run(tmp_path: Path) -> None:
    napper = Napper(tmp_path)
    outcome = napper.outcome(NESTED)

    assert outcome.result == [["<quick k>", "<long k>"], "<quick z>", 30]
    assert napper.asked == ["quick k", "long k", "quick z"]
    assert len(napper.launcher.pids) == napper.run.driver.napping.count + 2 >= 4


def test_a_due_sleep_wakes_a_run_whose_agent_goes_on(tmp_path: Path) -> None:
    answered = trio.Event()
    source = """
const long = agent('long');
await SW.extra.sleep(86400000);
const quick = await agent('quick');
export default [quick, await long];"""

    async def agent(call: AgentCall) -> AgentAnswer:
        if call.prompt == "long":
            await napper.until_nap()
            napper.run.driver.feed(Due("2"))
            await answered.wait()
        answered.set()
        return AgentAnswer(call.prompt)

    napper = Napper(tmp_path, agent=agent)
    assert napper.outcome(source).result == ["quick", "long"]


def test_a_policy_without_naps_keeps_the_child(tmp_path: Path) -> None:
    napper = Napper(tmp_path)

    async def long() -> None:
        for _ in range(100):
            await trio.lowlevel.checkpoint()
        assert napper.has_child()

    napper.long = long
    assert napper.outcome(policy=NEVER).result == RESULT
    assert len(napper.launcher.pids) == 1


def test_a_child_that_is_expensive_to_bring_back_is_kept(tmp_path: Path) -> None:
    napper = Napper(tmp_path)
    looks: list[int] = []

    async def long() -> None:
        while len(looks) < 3:  # noqa: ASYNC110
            await trio.sleep(0.01)

    napper.long = long

    class Policy(Hibernation):
        @property
        def cpu_factor(self) -> float:
            looks.append(1)
            return 1e9

    assert napper.outcome(policy=Policy(0, 0, 0, 0)).result == RESULT
    assert len(napper.launcher.pids) == 1


def test_a_timeout_holds_while_there_is_no_child(tmp_path: Path) -> None:
    napper = Napper(tmp_path)

    async def long() -> None:
        await napper.until_nap()
        napper.run.bounded.deadline = trio.current_time()
        await trio.sleep_forever()

    napper.long = long
    with pytest.raises(RunTimedOut) as raised:
        napper.outcome()
    report = raised.value.report
    assert report.verdict == "wall_timeout"
    assert report.waiting == ("2",)
    assert len(napper.launcher.pids) == napper.run.driver.napping.count


def test_a_run_is_cancelled_and_gone_on_with_that_had_no_child(tmp_path: Path) -> None:
    napper = Napper(tmp_path)
    scope = trio.CancelScope()

    async def long() -> None:
        await napper.until_nap()
        scope.cancel()
        await trio.sleep_forever()

    async def main() -> None:
        async with opened(tmp_path, Clock()) as store:
            with scope:
                await napper.begin(store, SOURCE, AT_ONCE)

    napper.long = long
    trio.run(main)
    napper.launcher.assert_nothing_left()
    napper.long = napper.until_nap
    assert napper.resumed().result == RESULT
    assert napper.asked.count("quick") == 1  # it was answered before


def test_a_child_that_asks_for_something_else_when_it_is_woken_ends_the_run(tmp_path: Path) -> None:
    napper = Napper(tmp_path)

    async def other(path: str) -> PastWorkflow:
        assert napper.run.driver.journal is not None
        past = await Keeper.past(napper.run.driver.journal, path)  # type: ignore[arg-type]
        past.turns[0] = tuple(each._replace(resolution=Ok("other")) for each in past.turns[0])
        return past

    async def long() -> None:
        napper.run.driver.journal.past = other  # type: ignore[union-attr, method-assign]
        await napper.until_nap()

    napper.long = long
    with pytest.raises(ReplayDiverged):
        napper.outcome()
    assert napper.summary().state == "diverged"


def test_a_child_that_cannot_be_started_again_leaves_the_run_to_be_gone_on_with(tmp_path: Path) -> None:
    napper = Napper(tmp_path)
    launch = napper.launcher.launch

    async def none() -> NoReturn:
        raise OSError("no processes")

    async def long() -> None:
        await napper.until_nap()
        napper.launcher.launch = none  # type: ignore[method-assign]

    napper.long = long
    with pytest.raises(LaunchFailed):
        napper.outcome()
    napper.launcher.launch = launch  # type: ignore[method-assign]
    napper.long = napper.until_nap
    assert napper.summary().verdict == "not_started"
    assert napper.resumed().result == RESULT
    assert (napper.asked.count("quick"), napper.asked.count("long <quick>")) == (1, 1)


def test_a_handler_that_fails_while_there_is_no_child_ends_the_run(tmp_path: Path) -> None:
    napper = Napper(tmp_path)

    async def long() -> None:
        await napper.until_nap()
        raise ZeroDivisionError

    napper.long = long
    with pytest.raises(HandlerFailed, match="ZeroDivisionError"):
        napper.outcome()
    assert napper.summary().verdict == "host_fault"
    assert len(napper.launcher.pids) == napper.run.driver.napping.count
