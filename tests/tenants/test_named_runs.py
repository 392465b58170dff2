"""Runs whose id the caller chose: the same id twice is the same run, while it goes on."""

from __future__ import annotations

import traceback
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from flowcage import Handlers, Host, HostClosing, Outcome, RunCancelled, RunOptions, WorkflowFailed
from flowcage.events import RunStarted

from ..host.hosts import WAITING, Gate, host, in_trio
from ..host.runs import Listener


class Callers:
    """Calls of `Host.run` side by side, and what each got."""

    def __init__(self, made: Host, nursery: trio.Nursery) -> None:
        self._made = made
        self._nursery = nursery
        self.got: list[Outcome | Exception] = []

    async def call(self, source: str = WAITING, **given: Any) -> trio.CancelScope:
        """Begin a call; returns when it waits for something."""
        scope = trio.CancelScope()
        self._nursery.start_soon(partial(self._call, scope, source, given))
        await trio.testing.wait_all_tasks_blocked()
        return scope

    async def _call(self, scope: trio.CancelScope, source: str, given: dict[str, Any]) -> None:
        with scope:
            try:
                self.got.append(await self._made.run(source, **given))
            except Exception as error:
                self.got.append(error)


@in_trio
async def test_a_run_has_the_id_and_the_metadata_that_it_was_given() -> None:
    listener = Listener()
    async with host(options=RunOptions(listener=listener, metadata={"host": 1})) as made:
        given = {"ticket": [1, "two"]}
        outcome = await made.run("export default 1", run_id="My.run_1-a", metadata=given)
        assert outcome.run_id == outcome.report.root_run_id == "My.run_1-a"
        assert outcome.report.metadata == given
        assert [(event["runId"], event["metadata"]) for event in listener.of("started")] == [
            ("My.run_1-a", given)
        ]
        assert (await made.run("export default 1")).report.metadata == {"host": 1}


@in_trio
async def test_a_live_run_has_them_too() -> None:
    async with (
        host() as made,
        made.open_run("export default 1", run_id="live", metadata={"a": 1}) as run,
    ):
        started = [event async for event in run if isinstance(event, RunStarted)]
        assert run.id == "live"
        assert [event.metadata for event in started] == [{"a": 1}]


@in_trio
async def test_the_same_id_twice_is_one_run_with_one_outcome() -> None:
    gate = Gate()
    async with host() as made:
        async with trio.open_nursery() as nursery:
            callers = Callers(made, nursery)
            for _ in range(3):
                await callers.call(run_id="r", args={"a": [1]}, handlers=Handlers(agent=gate))
            await gate.until(1)
            gate.opened.set()
        first, *others = callers.got
        assert isinstance(first, Outcome)
        assert all(other is first for other in others)
        assert gate.waiting == 1
        assert made.statistics().runs.by_verdict == {"completed": 1}


@in_trio
async def test_who_joined_a_run_gets_its_error_with_the_report() -> None:
    gate = Gate()
    source = "await agent('x'); throw new Error('boom')"
    async with host() as made, trio.open_nursery() as nursery:
        callers = Callers(made, nursery)
        for _ in range(2):
            await callers.call(source, run_id="r", handlers=Handlers(agent=gate))
        await gate.until(1)
        gate.opened.set()
    first, second = callers.got
    assert isinstance(first, WorkflowFailed)
    assert isinstance(second, WorkflowFailed)
    assert first is not second
    assert str(second) == str(first)
    assert second.report == first.report
    assert "boom" in "".join(traceback.format_exception(second))


@in_trio
async def test_an_id_is_forgotten_when_its_run_has_ended() -> None:
    async with host() as made:
        assert (await made.run("export default 1", run_id="r")).result == 1
        assert (await made.run("export default 2", run_id="r")).result == 2
        with pytest.raises(WorkflowFailed):
            await made.run("throw 1", run_id="r")
        assert (await made.run("export default 3", run_id="r")).result == 3


DIFFERENT: dict[str, dict[str, Any]] = {
    "source": {"source": "export default 2"},
    "source_name": {"source_name": "other.js"},
    "args": {"args": {"a": True}},  # which equals 1 in Python
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_an_id_in_use_for_something_else_is_refused_by_its_name(name: str) -> None:
    async def test() -> None:
        gate = Gate()
        async with host() as made, trio.open_nursery() as nursery:
            asked: dict[str, Any] = {"source": WAITING, "args": {"a": 1}, "run_id": "r"}
            work = partial(made.run, handlers=Handlers(agent=gate), **asked)
            nursery.start_soon(work)
            await gate.until(1)
            with pytest.raises(ValueError, match=f"^run_id 'r' is already in use for another {name}$"):
                await made.run(**{**asked, **DIFFERENT[name]})
            gate.opened.set()

    trio.run(test)


@in_trio
async def test_another_tenant_has_ids_of_its_own() -> None:
    gate = Gate()
    async with host() as made, trio.open_nursery() as nursery:
        callers = Callers(made, nursery)
        await callers.call(run_id="r", handlers=Handlers(agent=gate))
        await gate.until(1)
        outcome = await made.run("export default 'of the other'", tenant="other", run_id="r")
        assert outcome.result == "of the other"
        gate.opened.set()


@in_trio
async def test_changing_the_args_meanwhile_does_not_make_it_another_run() -> None:
    gate, args = Gate(), {"a": [1]}
    async with host() as made, trio.open_nursery() as nursery:
        callers = Callers(made, nursery)
        await callers.call(run_id="r", args=args, handlers=Handlers(agent=gate))
        await gate.until(1)
        args["a"].append(2)
        await callers.call(run_id="r", args={"a": [1]})
        gate.opened.set()
    assert callers.got[0] is callers.got[1]


@in_trio
async def test_a_live_run_has_one_reader() -> None:
    async with host() as made, made.open_run(WAITING, run_id="r") as run:
        with pytest.raises(ValueError, match=r"^run_id 'r' is already in use: that run goes on$"):
            async with made.open_run(WAITING, run_id="r"):
                raise AssertionError
        async with trio.open_nursery() as nursery:
            callers = Callers(made, nursery)
            await callers.call(run_id="r")  # but who only wants its result may wait for it
            async for event in run:
                if event.to_json()["type"] == "requested":
                    run.answer("1", "yes")
        assert callers.got == [await run.outcome()]


@in_trio
async def test_the_run_ends_with_its_first_caller_and_who_joined_it_is_told() -> None:
    gate = Gate()
    async with host() as made, trio.open_nursery() as nursery:
        callers = Callers(made, nursery)
        first = await callers.call(run_id="r", handlers=Handlers(agent=gate))
        await gate.until(1)
        await callers.call(run_id="r")
        first.cancel()
        await trio.testing.wait_all_tasks_blocked()
        while not callers.got:
            await trio.testing.wait_all_tasks_blocked(0.01)
        (error,) = callers.got
        assert isinstance(error, RunCancelled)
        assert str(error) == "the run was cancelled: the caller that began it was cancelled"


@in_trio
async def test_who_joined_may_leave_and_the_run_goes_on() -> None:
    gate = Gate()
    async with host() as made, trio.open_nursery() as nursery:
        callers = Callers(made, nursery)
        await callers.call(run_id="r", handlers=Handlers(agent=gate))
        await gate.until(1)
        (await callers.call(run_id="r")).cancel()
        gate.opened.set()
    (outcome,) = callers.got
    assert isinstance(outcome, Outcome)


@in_trio
async def test_a_closing_host_tells_all_callers_of_a_run() -> None:
    gate = Gate()
    async with trio.open_nursery() as nursery:  # noqa: SIM117 - the callers outlive the host
        async with host() as made:
            callers = Callers(made, nursery)
            for _ in range(2):
                await callers.call(run_id="r", handlers=Handlers(agent=gate))
            await gate.until(1)
    assert [type(error) for error in callers.got] == [HostClosing] * 2


@pytest.mark.parametrize(
    "run_id", ["", "x" * 101, "a b", "a/b", "a\n", "é", "../x/", 7], ids=lambda run_id: repr(run_id)[:12]
)
def test_what_is_no_id_is_refused_before_anything_is_queued(run_id: Any) -> None:
    async def test() -> None:
        async with host() as made:
            kind = ValueError if isinstance(run_id, str) else TypeError
            with pytest.raises(kind, match=r"^run_id must be"):
                await made.run("export default 1", run_id=run_id)
            with pytest.raises(kind, match=r"^run_id must be"):
                async with made.open_run("export default 1", run_id=run_id):
                    raise AssertionError
            assert made.statistics().runs.by_verdict == {}

    trio.run(test)


@pytest.mark.parametrize("metadata", [{"a": object()}, {"a": float("nan")}])
def test_metadata_that_is_no_json_is_refused_by_its_name(metadata: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^metadata must be JSON"):
        RunOptions(metadata=metadata)
