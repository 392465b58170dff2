"""What is told of a kept run is what a listener was told of it; its calls are those that it made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import trio

from flowcage.events import AgentCompleted, Event
from flowcage.host import AgentAnswer, AgentCall, RequestRejected
from flowcage.host.durable.errors import DamagedEntry
from flowcage.host.durable.records import Entry, RunRecord
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.events.records import AgentStarted, Diagnosed, RunEnded, RunStarted, Sleeping
from flowcage.host.resume.looking.story import story_of
from flowcage.host.resume.looking.telling import Resumed, Telling
from flowcage.host.run.core.inputs import Answered
from flowcage.protocol.messages import MISSING

from .kept_runs import load, record_of
from .lives import Agents, first_life, next_life, options

T = TypeVar("T")


def with_store(path: Path, work: Callable[[SqliteStore], Awaitable[T]]) -> T:
    async def main() -> T:
        store = await trio.to_thread.run_sync(lambda: SqliteStore.open(path, read_only=True))
        try:
            return await work(store)
        finally:
            await store.aclose()

    return trio.run(main)


def told(record: RunRecord) -> list[Event]:
    telling = Telling(record.summary, record.rules)
    events = [event for entry in record.entries for event in telling.take(entry)[1]]
    last = telling.end(record)
    return events if last is None else [*events, last]


def known(event: Event) -> object:
    """What a history and a listener both know of an event; times are those of two clocks."""
    if isinstance(event, RunStarted):
        return RunStarted, event.run_id, event.source_name, event.parent_run_id, event.dialect
    if isinstance(event, RunEnded):
        return RunEnded, str(event.verdict), event.error
    if isinstance(event, AgentStarted):
        event = replace(event, key="")  # of the options with what `meta.phases` adds
    return replace(event, at=0.0, seq=0, time="")


def test_the_events_of_a_history_are_those_of_a_listener(tmp_path: Path) -> None:
    heard: list[Event] = []
    given = options(Agents(), listener=heard.append)
    trio.run(first_life, tmp_path / "runs.db", given)
    record = record_of(tmp_path / "runs.db")
    events = told(record)

    # Of a child workflow the end is told twice by a listener, by itself and to its parent.
    events = [each for each in events if not isinstance(each, Diagnosed)]
    heard = [each for each in heard if not (isinstance(each, RunEnded) and each.run_id != "run")]
    assert Counter(map(repr, map(known, events))) == Counter(map(repr, map(known, heard)))
    assert sorted({each.seq for each in events}) == [each.seq for each in events]
    assert [known(each) for each in events if each.run_id == "run" and type(each) is AgentCompleted] == [
        known(each) for each in heard if each.run_id == "run" and type(each) is AgentCompleted
    ]
    assert all(each.time.startswith("20") for each in events)


def test_the_calls_of_a_run_are_told_with_their_attempts(tmp_path: Path) -> None:
    source = """phase('One');
    const got = [await agent('twice', {label: 'the\\nfirst', retry: {maxAttempts: 2, backoffMs: 1}}),
      await agent('schema', {schema: {type: 'number'}, phase: 'Two'}),
      await agent('never').catch(() => null)];
    await SW.extra.sleep(1);
    agent('left').catch(() => null);
    export default got;"""
    asked: list[str] = []

    async def agent(call: AgentCall) -> AgentAnswer:
        asked.append(call.prompt)
        count = asked.count(call.prompt)
        if (call.prompt == "twice" and count == 1) or call.prompt == "never":
            raise RequestRejected(f"no {count}")
        if call.prompt == "left":
            await trio.sleep_forever()
        return AgentAnswer(
            "no number" if count == 1 and call.schema else count, tokens=5, cost_usd=0.5, model="m"
        )

    trio.run(first_life, tmp_path / "runs.db", options(agent), source)
    story = story_of(record_of(tmp_path / "runs.db"))
    twice, schema, never, sleep, left = story.calls.values()

    assert (twice.id, twice.kind, twice.label, twice.phase, twice.state) == (
        "1",
        "agent",
        "the\nfirst",
        "One",
        "answered",
    )
    assert [(each.number, each.error, each.tokens, each.lives) for each in twice.attempts] == [
        (1, "no 1", 0, 1),
        (2, None, 5, 1),
    ]
    assert (twice.value, twice.model, twice.tokens, twice.cost_usd) == (2, "m", 5, 0.5)
    assert (schema.phase, schema.value, schema.tokens, len(schema.attempts)) == ("Two", 2, 10, 1)
    assert [each.text for each in schema.attempts[0].refused] == ["no number"]
    assert (never.state, never.error, never.value) == ("failed", "no 1", MISSING)
    assert (sleep.kind, sleep.state, sleep.attempts) == ("sleep", "done", [])
    assert (left.state, left.attempts) == ("cancelled", [])
    assert all(each.seconds >= 0 for each in story.calls.values())
    assert (story.totals.started, story.totals.tokens, story.workflows) == (3, 15, {"": "w.js"})


def test_a_call_that_was_interrupted_has_been_asked_in_two_lives(tmp_path: Path) -> None:
    agents = Agents()
    scope = trio.CancelScope()
    agents.on_call = lambda call: scope.cancel() if call.prompt == "b" else None

    async def main() -> None:
        with scope:
            await first_life(tmp_path / "runs.db", options(agents))
        before = story_of(await load(tmp_path / "runs.db"))
        assert before.calls["2"].state == "open"
        agents.on_call = lambda _call: None
        await next_life(tmp_path / "runs.db", options(agents))

    trio.run(main)
    record = record_of(tmp_path / "runs.db")
    calls = story_of(record).calls
    assert (calls["2"].state, calls["2"].attempts[0].lives) == ("answered", 2)
    assert [each.life for each in told(record) if isinstance(each, Resumed)] == [2]
    kids = [each for each in calls.values() if each.path]
    assert {each.path for each in kids} <= {"6", "7", "8"}
    assert {each.state for each in kids} == {"answered"}


def test_diagnostics_and_sleeps_are_told(tmp_path: Path) -> None:
    source = "await SW.extra.sleep(1); await parallel([() => { throw new Error('x') }]); export default 1"
    trio.run(first_life, tmp_path / "runs.db", options(Agents()), source)
    events = told(record_of(tmp_path / "runs.db"))
    assert {each.diagnostic["kind"] for each in events if isinstance(each, Diagnosed)} >= {"swallowed_error"}
    assert any(isinstance(each, Sleeping) for each in events)
    assert all(isinstance(each.to_json()["type"], str) for each in events)


def test_a_history_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    trio.run(first_life, tmp_path / "runs.db", options(Agents()), "export default 1")
    record = record_of(tmp_path / "runs.db")
    with pytest.raises(DamagedEntry, match="run run, entry 1: cannot follow what is before it"):
        told(record._replace(entries=[record.entries[0], record.entries[0]._replace(seq=1)]))
    facts = {"usage": "none", "tokens_": 1, "model": 7}
    wild = Entry(2, float("nan"), 1, Answered("1", None, facts=facts), None)
    damaged = record._replace(
        entries=[*record.entries[:2], wild], summary=record.summary._replace(created_at=2**62)
    )
    assert told(damaged)[0].time == ""


def test_an_answer_that_was_there_already_is_told_as_reused(tmp_path: Path) -> None:
    trio.run(first_life, tmp_path / "runs.db", options(Agents()), "export default agent('x')")
    record = record_of(tmp_path / "runs.db")
    facts = {"cached": True, "model": "m"}
    entries = [
        each._replace(input=each.input._replace(facts=facts)) if isinstance(each.input, Answered) else each
        for each in record.entries
    ]
    for found, reused in ((record, False), (record._replace(entries=entries), True)):
        (call,) = story_of(found).calls.values()
        assert (call.state, call.value, call.reused, call.model) == ("answered", "<x>", reused, "m")
    assert any(
        isinstance(each, AgentCompleted) and each.cached for each in told(record._replace(entries=entries))
    )


def test_facts_of_a_store_that_no_event_has_are_left_out(tmp_path: Path) -> None:
    trio.run(first_life, tmp_path / "runs.db", options(Agents()), "export default agent('x')")
    record = record_of(tmp_path / "runs.db")
    facts = {"tokens": "all", "kind": 1, "request_id": 2, "self": 3, "call": 4, "usage": "none", "later": 5}
    entries = [
        each._replace(input=each.input._replace(facts=facts)) if isinstance(each.input, Answered) else each
        for each in record.entries
    ]
    (completed,) = [
        each for each in told(record._replace(entries=entries)) if isinstance(each, AgentCompleted)
    ]
    assert (completed.request_id, completed.tokens, completed.usage) == ("1", 1, None)
