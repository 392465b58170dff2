"""Runs that fall asleep, for tests: on a clock that the test moves, as soon as they only wait for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from flowcage import AgentAnswer, AgentCall, Host, RunOptions
from flowcage.events import Event
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.records import Summary
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.run.past.hibernation import Hibernation

# Nobody looks how much CPU a child has used: how busy the machine is must not matter.
AT_ONCE = Hibernation(idle_seconds=0, min_wait_seconds=1, cpu_factor=0)
DAY = 86_400_000
DEADLINE_S = 300

SLEEPY = """
const before = await agent('before');
await SW.extra.sleep(86400000);
const after = await agent('after ' + before);
export default [before, after, budget.spent()];"""
RESULT = ["<before>", "<after <before>>", 20]


class Clock:
    """The wall clock of a store: milliseconds that a test moves."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Agents:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.asked.append(call.prompt)
        await trio.lowlevel.checkpoint()
        return AgentAnswer(f"<{call.prompt}>", tokens=10)


class Heard:
    """Events, by their names."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def names(self, *names: str) -> list[str]:
        found = [event.to_json()["type"] for event in self.events]
        return [name for name in found if name in names]


@asynccontextmanager
async def opened(path: Path, clock: Callable[[], int], **more: Any) -> AsyncIterator[SqliteStore]:
    """The store in a folder, for the length of a block."""
    options = StoreOptions(clock=clock, **more)
    store = SqliteStore.open(path / "runs.db", options, durability="relaxed")
    try:
        yield store
    finally:
        await store.aclose()


def host(store: SqliteStore, agent: Any, *, options: dict[str, Any] | None = None, **more: Any) -> Host:
    """A host whose runs fall asleep at once."""
    given = RunOptions(agent=agent, timeout_seconds=120, **(options or {}))
    return Host(store=store, options=given, **{"hibernation": AT_ONCE, **more})


async def until(store: SqliteStore, run_id: str, *states: str) -> Summary:
    """Wait until a run is in one of these states."""
    with trio.fail_after(DEADLINE_S):
        while (summary := await store.get(run_id)).state not in states:  # noqa: ASYNC110
            await trio.sleep(0.01)
    return summary


async def tick(clock: Clock, store: SqliteStore, milliseconds: int) -> None:
    """Move the clock, and have hosts look at it: that it is set is no news."""
    clock.now += milliseconds
    await poke(store)


async def poke(store: SqliteStore) -> None:
    """News for all hosts of a store."""
    assert store._owners is not None
    store._owners.tell({""})
    await trio.lowlevel.checkpoint()
