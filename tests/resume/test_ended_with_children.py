"""A run that is ended from outside while several child workflows are at work loses no answer."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import psutil
import pytest
import trio

from flowcage import AgentAnswer, AgentCall, Host, RunOptions, RunTimedOut
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.cancel import CancelRequested
from flowcage.host.outcome.errors import RunError
from flowcage.host.outcome.report import Outcome
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.resume.replay import replay
from flowcage.host.run.core.inputs import Failed
from flowcage.host.run.options import Caller
from flowcage.host.run.run import Run
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.children import Launcher

SOURCE = """
const kids = await parallel(['x', 'y', 'z'].map((name) => () => workflow('kid', {name})));
export default [kids, await agent('last'), budget.spent()];"""
KID = """
const order = [];
const note = async (n) => order.push(await agent(args.name + n));
await parallel([() => note(1), () => note(2)]);
for (let i = 3; i < 5; i++) order.push(await agent(`${args.name}${i} after ${order} ${budget.spent() > 0}`));
export default order;"""
CALLS = 13
# The calls at which a life ends.
MOMENTS = (1, 3, 4, 6, 7, 9, 12)

Life: TypeAlias = Callable[[SqliteStore, "Ender", int], Awaitable[Outcome | None]]


async def kid(caller: Caller, request: WorkflowRequest) -> Json:
    assert isinstance(request.args, dict)
    return await caller.run_child(KID, "kid.js", request.args)


def _children() -> set[int]:
    found = psutil.Process().children()
    return {each.pid for each in found if each.status() != psutil.STATUS_ZOMBIE}


class Ender:
    """The agent of all lives of one run. Some calls later each but the last is ended."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.calls = 0
        self.moments = list(MOMENTS)
        self.end: Callable[[], None] = lambda: None
        self.is_rude = False
        self.alive: set[int] = set()  # children when the life at hand was ended
        self.launcher = Launcher()

    async def agent(self, call: AgentCall) -> AgentAnswer:
        assert call.prompt not in self.answered, "it was answered, and is asked again"
        self.calls += 1
        if self.moments and self.calls >= self.moments[0]:
            self.moments.pop(0)
            self.alive = _children()
            self.end()
        try:
            for _ in range(len(call.prompt) % 3 + 1):
                await trio.lowlevel.checkpoint()
        except trio.Cancelled:
            if call.prompt.startswith("x") and self.is_rude:
                raise ValueError("an agent that may not be cancelled") from None
            if not self.alive or not call.prompt.startswith("y"):
                raise
            with trio.CancelScope(shield=True):
                await self.until_one_has_ended()
        self.answered.append(call.prompt)
        return AgentAnswer(f"<{call.prompt.split()[0]}>", tokens=10)

    async def until_one_has_ended(self) -> None:
        """An agent may take its time, and answer when the child workflow beside its own is gone."""
        with trio.move_on_after(120):
            while self.alive <= _children():  # noqa: ASYNC110
                await trio.sleep(0.01)
        for _ in range(20):
            await trio.lowlevel.checkpoint()

    @property
    def options(self) -> RunOptions:
        return RunOptions(
            agent=self.agent, workflow=kid, launcher=self.launcher, timeout_seconds=120, max_agents=4
        )


async def run_of(store: SqliteStore, ender: Ender, number: int) -> Run:
    if number == 0:
        kept = await begin(store, "r", SOURCE, "w.js", {}, ender.options)
    else:
        kept = await take_up(store, "r")
    return kept.run(ender.options)


async def cancelled(store: SqliteStore, ender: Ender, number: int) -> Outcome | None:
    with trio.CancelScope() as scope:
        ender.end = scope.cancel
        return await (await run_of(store, ender, number)).execute("", None)
    return None


async def rudely_cancelled(store: SqliteStore, ender: Ender, number: int) -> Outcome | None:
    ender.is_rude = True
    with suppress(RunError):
        return await cancelled(store, ender, number)
    return None


async def timed_out(store: SqliteStore, ender: Ender, number: int) -> Outcome | None:
    run = await run_of(store, ender, number)

    def end() -> None:
        run.bounded.deadline = trio.current_time()

    ender.end = end
    with suppress(RunTimedOut):
        return await run.execute("", None)
    return None


async def asked_to_end(store: SqliteStore, ender: Ender, number: int) -> Outcome | None:
    run = await run_of(store, ender, number)
    ender.end = lambda: run.abandon(CancelRequested("enough"))
    with suppress(RunError):
        return await run.execute("", None)
    return None


async def interrupted(store: SqliteStore, ender: Ender, number: int) -> Outcome | None:
    ender.end = lambda: signal.raise_signal(signal.SIGINT)
    try:
        return await (await run_of(store, ender, number)).execute("", None)
    except (KeyboardInterrupt, BaseExceptionGroup) as error:
        found = [error] if isinstance(error, KeyboardInterrupt) else _leaves(error)
        assert all(isinstance(each, KeyboardInterrupt) for each in found)
        return None


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [
        leaf
        for each in group.exceptions
        for leaf in (_leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]


async def shut_down(store: SqliteStore, ender: Ender, number: int) -> Outcome | None:
    async def host() -> Outcome | None:
        given = RunOptions(agent=ender.agent, workflow=kid, timeout_seconds=120, max_agents=4)
        async with Host(store=store, options=given, launcher=Spawn, hibernation=None) as host:
            ender.end = scope.cancel
            if number == 0:
                return await (await host.start(SOURCE, key="k")).outcome()
            return await host.resume(ids[0])

    ids = [each.run_id for each in await store.runs()]
    with trio.CancelScope() as scope:
        return await host()
    return None


@pytest.mark.parametrize(
    "life", [cancelled, rudely_cancelled, timed_out, asked_to_end, interrupted, shut_down]
)
def test_no_answer_is_lost(tmp_path: Path, life: Life) -> None:
    ender, lives = Ender(), 0

    async def one(number: int) -> Outcome | None:
        store = SqliteStore.open(tmp_path / "runs.db", durability="relaxed")
        ender.alive = set()
        try:
            return await life(store, ender, number)
        finally:
            await store.aclose()

    async def proof() -> tuple[bool, list[Any]]:
        store = SqliteStore.open(tmp_path / "runs.db", read_only=True)
        try:
            record = await store.load((await store.runs())[0].run_id)
            report = await replay(record, RunOptions(timeout_seconds=120))
            return report.is_same, [each.input for each in record.entries]
        finally:
            await store.aclose()

    outcome: Outcome | None = None
    while outcome is None and lives <= len(MOMENTS):
        outcome, lives = trio.run(one, lives), lives + 1
    if life is not shut_down:  # whose host has a launcher of its own
        ender.launcher.assert_nothing_left()
    assert outcome is not None
    kids, last, spent = outcome.result
    assert [sorted(each) for each in kids] == [[f"<{name}{n}>" for n in (1, 2, 3, 4)] for name in "xyz"]
    assert (last, spent, outcome.usage.tokens) == ("<last>", 10 * CALLS, 10 * CALLS)
    assert sorted(ender.answered) == sorted(set(ender.answered))
    assert lives > 3
    is_same, inputs = trio.run(proof)
    assert is_same
    assert not [each for each in inputs if isinstance(each, Failed)]
