"""Listeners on a loop: what they raise, and events that wait while the loop is held up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
import trio

import flowcage
from flowcage import AgentAnswer, AgentCall, HandlerFailed, RunOptions
from flowcage.asyncio import Host, run_workflow
from flowcage.events import Event, Gap, Logged, RunEnded, RunStarted
from flowcage.host.on_asyncio import listening

from .loops import DEADLINE, EACH_LOOP, run_on

Loop = Callable[[], asyncio.AbstractEventLoop]


def at_the_end(event: Event) -> None:
    if isinstance(event, RunEnded):
        raise ZeroDivisionError("a secret of mine")


@pytest.mark.parametrize("loop", ["trio", "asyncio"])
def test_what_a_listener_raises_at_the_last_event_is_logged(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    options = RunOptions(listener=at_the_end)
    if loop == "trio":
        outcome = trio.run(lambda: flowcage.run_workflow("export default 1", options=options))
    else:
        outcome = asyncio.run(run_workflow("export default 1", options=options))
    assert outcome.result == 1
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.name == "flowcage.run"
    assert outcome.report.run_id in record.message
    assert "ZeroDivisionError" in record.message
    assert "secret" not in caplog.text


@EACH_LOOP
def test_a_listener_of_many_runs_ends_the_one_at_whose_event_it_raised(loop: Loop) -> None:
    def raises(event: Event) -> None:
        if isinstance(event, Logged) and list(event.values) == ["bad"]:
            raise ZeroDivisionError

    async def agent(_call: AgentCall) -> AgentAnswer:
        return AgentAnswer(1)

    async def main() -> None:
        async with Host(options=RunOptions(agent=agent, listener=raises)) as host:
            good = asyncio.create_task(host.run("for (let n = 0; n < 20; n++) await agent('x'); return 1"))
            with pytest.raises(HandlerFailed):
                await host.run("log('bad'); for (;;) await agent('x'); return 1")
            await good
            await host.run("log('good'); return await agent('x')")

    run_on(loop, main)


@EACH_LOOP
@pytest.mark.parametrize("bound", ["MAX_EVENTS", "MAX_BYTES"])
def test_events_that_wait_for_a_loop_that_is_held_up_are_bounded(
    loop: Loop, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, bound, {"MAX_EVENTS": 50, "MAX_BYTES": 10_000}[bound])
    heard: list[Event] = []

    async def main() -> None:
        def holds_up(event: Event) -> None:
            heard.append(event)
            end = time.monotonic() + DEADLINE
            while isinstance(event, RunStarted) and not host.statistics().scheduler.tally.ended:
                assert time.monotonic() < end
                time.sleep(0.01)

        async with Host() as host:
            source = "for (let n = 0; n < 500; n++) log(n); return 'done'"
            assert (await host.run(source, options=RunOptions(listener=holds_up))).result == "done"

    run_on(loop, main)
    dropped = sum(event.dropped for event in heard if isinstance(event, Gap))
    told = [event for event in heard if not isinstance(event, Gap)]
    assert dropped >= 300
    assert [type(event) for event in (heard[0], *heard[-2:])] == [RunStarted, Gap, RunEnded]
    assert len(told) + dropped == heard[-1].seq
    assert [event.seq for event in told] == sorted(event.seq for event in told)
