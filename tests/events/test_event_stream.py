"""`EventStream`: what a reader gets, fast or slow, and that nothing grows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from flowcage.host import EventStream, HandlerFailed, RunOptions, Verdict, run_workflow
from flowcage.host.events.records import Event, Gap, Logged, RunEnded, RunStarted
from flowcage.protocol.limits import MIB

DEADLINE = 300


def in_trio(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(DEADLINE):
            await test()

    trio.run(bounded)


def log(number: int, text: str = "") -> Logged:
    return Logged("run", float(number), (number, text))


def ended(run_id: str = "run") -> RunEnded:
    return RunEnded(run_id, 99.0, Verdict.COMPLETED, None)


def read(stream: EventStream) -> list[Event]:
    """All events of a stream that has ended."""

    async def collect() -> list[Event]:
        return [event async for event in stream]

    return trio.run(collect)


def heard(*heard_events: Event, **bounds: int) -> EventStream:
    stream = EventStream(**bounds)
    for event in heard_events:
        stream(event)
    return stream


def test_a_reader_that_keeps_up_gets_every_event_of_a_run_as_it_comes() -> None:
    async def test() -> None:
        stream = EventStream()
        source = 'log("a"); const x = await agent("q"); log(x); export default 1'
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(run_workflow, source, options=RunOptions(listener=stream)))
            kinds = [event.to_json()["type"] async for event in stream]
        assert kinds == [
            "started",
            "log",
            "agent_queued",
            "agent_started",
            "agent_completed",
            "log",
            "ended",
        ]

    in_trio(test)


def test_one_gap_stands_where_events_are_missing_and_the_end_is_kept() -> None:
    events = read(heard(*[log(number) for number in range(10)], ended(), max_events=3))
    assert events == [log(0), log(1), log(2), Gap("run", 3.0, 7), ended()]


def test_after_a_gap_the_stream_goes_on() -> None:
    async def test() -> None:
        stream = heard(*[log(number) for number in range(5)], max_events=2)
        assert [await anext(stream), await anext(stream)] == [log(0), log(1)]
        for event in (log(5), log(6), log(7), ended()):
            stream(event)
        assert [event async for event in stream] == [
            Gap("run", 2.0, 3),
            log(5),
            Gap("run", 6.0, 2),
            ended(),
        ]

    in_trio(test)


def test_the_bound_on_bytes_counts_events_as_json() -> None:
    events = read(heard(log(0, "x" * 600), log(1, "x" * 600), log(2), ended(), max_bytes=1_000))
    assert events == [log(0, "x" * 600), Gap("run", 1.0, 1), log(2), ended()]


def test_an_event_larger_than_the_bound_is_heard_when_nothing_else_waits() -> None:
    large = log(0, "x" * 5_000)
    assert read(heard(large, log(1), ended(), max_bytes=1_000)) == [large, Gap("run", 1.0, 1), ended()]


def test_reading_makes_room_in_bytes_as_well() -> None:
    async def test() -> None:
        stream = EventStream(max_bytes=1_000)
        for number in range(50):
            half = log(number, "x" * 400)
            stream(half)
            stream(half)
            assert [await anext(stream), await anext(stream)] == [half, half]
            stream(half)
            stream(half)
            assert await stream.batch() == [half, half]

    in_trio(test)


def test_a_stream_that_nobody_reads_does_not_grow_whatever_comes() -> None:
    stream = EventStream(max_events=100)
    for number in range(10_000):
        stream(log(number))
        stream(ended(f"child workflow {number}"))
        place = stream.keep(log(number))
        stream(log(number))
        stream.withdraw(place)
    stream(ended())
    assert len(stream) <= 100 + 3
    events = read(stream)
    assert events[-1] == ended()
    assert sum(event.dropped for event in events if isinstance(event, Gap)) == 30_000 - 100


def test_what_is_kept_stays_in_its_place_between_gaps() -> None:
    stream = heard(log(0), log(1), max_events=1)
    stream.keep(log(2))
    stream(log(3))
    stream(ended())
    assert read(stream) == [log(0), Gap("run", 1.0, 1), log(2), Gap("run", 3.0, 1), ended()]


def test_gaps_on_both_sides_of_what_was_withdrawn_become_one() -> None:
    stream = heard(log(0), log(1), max_events=1)
    place = stream.keep(log(2))
    stream(log(3))
    stream.withdraw(place)
    stream(log(4))
    stream(ended())
    assert read(stream) == [log(0), Gap("run", 1.0, 3), ended()]


def test_what_was_withdrawn_makes_room_in_bytes() -> None:
    stream = heard(log(0), max_bytes=1_000)
    stream.withdraw(stream.keep(log(1, "x" * 900)))
    stream(log(2))
    stream(ended())
    assert read(stream) == [log(0), log(2), ended()]


def test_withdrawing_what_was_read_does_nothing() -> None:
    async def test() -> None:
        stream = EventStream(max_bytes=100)
        place = stream.keep(log(0))
        await anext(stream)
        stream.withdraw(place)
        stream(log(1))
        stream(ended())
        assert [event async for event in stream] == [log(1), ended()]

    in_trio(test)


def test_several_readers_share_the_events_and_all_end() -> None:
    async def test() -> None:
        stream, seen = EventStream(), []

        async def reader() -> None:
            seen.extend([event async for event in stream])

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(reader)
            await trio.testing.wait_all_tasks_blocked()
            for number in range(20):
                stream(log(number))
            stream(ended())
        assert len(seen) == 21
        assert {event.at for event in seen} == {*map(float, range(20)), 99.0}

    in_trio(test)


def test_closing_ends_everyone_who_waits() -> None:
    async def test() -> None:
        stream = EventStream()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(stream.batch)
            await trio.testing.wait_all_tasks_blocked()
            stream.close()

    in_trio(test)


def test_a_closed_stream_ends_after_what_waits_and_hears_nothing_more() -> None:
    stream = heard(log(0))
    stream.close()
    stream(log(1))
    assert read(stream) == [log(0)]


def test_a_stream_for_a_second_run_is_refused_where_that_run_begins() -> None:
    stream = EventStream()

    async def test() -> None:
        await run_workflow("export default 1", options=RunOptions(listener=stream))
        with pytest.raises(HandlerFailed, match="an EventStream is for one run"):
            await run_workflow("export default SW.extra.sleep(1e6)", options=RunOptions(listener=stream))

    in_trio(test)


def test_a_child_workflow_does_not_end_the_stream() -> None:
    kid = RunStarted("kid", 0.0, "kid.js", "run")
    events = read(heard(log(0), kid, ended("kid"), log(1), ended()))
    assert events == [log(0), kid, ended("kid"), log(1), ended()]


def test_a_workflow_that_logs_more_than_anybody_reads_is_not_held_up_by_it() -> None:
    async def test() -> None:
        stream = EventStream(max_events=10, max_bytes=MIB)
        source = 'for (let i = 0; i < 5000; i++) log(i); await SW.extra.sleep(0); log("x"); export default 1'
        outcome = await run_workflow(source, options=RunOptions(listener=stream))
        assert outcome.result == 1
        events = [event async for event in stream]
        (gap,) = [event for event in events if isinstance(event, Gap)]
        assert len(events) == 12
        assert gap.dropped == 5000 - 9 + 2  # "started" has one of the ten places; "sleep" and "x" are lost
        assert isinstance(events[-1], RunEnded)

    in_trio(test)


@pytest.mark.parametrize("bounds", [{"max_events": 0}, {"max_bytes": 0}, {"max_events": 1.5}])
def test_an_absurd_bound_is_refused_by_its_name(bounds: dict[str, Any]) -> None:
    (name,) = bounds
    with pytest.raises(ValueError, match=f"^{name} must be a whole number of at least 1"):
        EventStream(**bounds)
