"""What is new of a kept run, event by event, for whoever follows it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

import trio

from flowcage.host.durable.records import Entry, Summary
from flowcage.host.durable.store import Store
from flowcage.host.events.records import Event, FellAsleep
from flowcage.host.resume.looking.telling import Telling
from flowcage.host.resume.sleep.asleep import as_text

# So many entries take some milliseconds; more are folded in a thread.
_AT_ONCE = 200


async def news(
    store: Store, telling: Telling, changes: AsyncGenerator[Summary]
) -> AsyncGenerator[tuple[Summary, list[Event]]]:
    """How a run stands whenever it may have changed, and the events that were not told before.

    That it falls asleep is an event without a number, since no history has it.

    Args:
        store: that keeps the run.
        telling: which has been given the entries that are known already.
        changes: of the run.

    Raises:
        UnknownRun: it was removed.
        DamagedEntry: it cannot be read.
    """
    before: Summary | None = None
    async with aclosing(changes):
        async for summary in changes:
            entries = await store.entries(summary.run_id, telling.next)
            if len(entries) > _AT_ONCE:
                events = await trio.to_thread.run_sync(told, telling, entries)
            else:
                events = told(telling, entries)
            if summary.state == "asleep" and (before is None or _sleep_of(before) != _sleep_of(summary)):
                events.append(_asleep(summary, store.now() / 1000))
            yield summary, events
            before = summary


def told(telling: Telling, entries: Iterable[Entry]) -> list[Event]:
    """The events of entries, those left out that were told. Raises `DamagedEntry`."""
    return [event for entry in entries if entry.seq >= telling.next for event in telling.take(entry)[1]]


def _sleep_of(summary: Summary) -> tuple[str, int, int | None]:
    """What differs between two sleeps."""
    return summary.state, summary.epoch, summary.wake_at


def _asleep(summary: Summary, now: float) -> Event:
    wake_at = None if summary.wake_at is None else as_text(summary.wake_at)
    seconds = None if summary.wake_at is None else max(0.0, summary.wake_at / 1000 - now)
    at = max(0.0, now - summary.created_at / 1000)
    return FellAsleep(summary.run_id, at, wake_at, seconds, root_run_id=summary.run_id, tenant=summary.tenant)
