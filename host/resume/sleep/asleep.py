"""Runs that are asleep in their store: without a process, a task or an owner, until somebody wakes them.

A run falls asleep in this order, and a host that is killed at any of these steps loses nothing: its children
are ended, what its journal gathered is written, the store is told to leave it (`Store.sleep`). Until the last
step it is a run that is abandoned, after it one that is due at a time. To wake it is to take it up.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import trio

from flowcage.host.durable.errors import Fenced, RunExpired, RunHasEnded, UnknownRun
from flowcage.host.durable.records import Ending, Summary
from flowcage.host.durable.store import Store
from flowcage.host.outcome.ending import explain
from flowcage.host.outcome.report import Report
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.resume.keeper import Keeper
from flowcage.host.run.run import Run

# A clock that is set, and another host that wakes or ends the run, are no news.
LOOK_SECONDS = 10.0


class Asleep(Exception):
    """What carries a run out tells whoever waits for it: it is not over, and has no process.

    Attributes:
        run_id: of the run.
        wake_at: when it is to be woken, in milliseconds since 1970; None where only an answer wakes it.
        emitted: how many events it has told.
        epoch: of a run that this host has still, because there was something to wake it for; else None.
    """

    def __init__(self, run_id: str, wake_at: int | None, emitted: int, epoch: int | None = None) -> None:
        super().__init__(f"run {run_id} is asleep")
        self.run_id = run_id
        self.wake_at = wake_at
        self.emitted = emitted
        self.epoch = epoch

    def bare(self) -> Asleep:
        """A copy to keep: without a traceback, whose frames have all of the life that has ended."""
        return Asleep(self.run_id, self.wake_at, self.emitted, self.epoch)


def wake_at(store: Store, seconds: float, expires_at: int | None) -> int | None:
    """When a run is due that waits so many seconds more; one that expires is woken to be ended.

    One that waits for people alone has no such time: their answer wakes it.
    """
    if seconds == math.inf:
        return expires_at
    due = store.now() + math.ceil(max(0.0, seconds) * 1000)
    return due if expires_at is None else min(due, expires_at)


def as_text(at: int) -> str:
    """A time as events have it: in UTC, as RFC 3339 has it."""
    try:
        return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError):  # some hundred thousand years away
        return "9999-12-31T23:59:59.999+00:00"


def pause_seconds(store: Store, due: int | None) -> float:
    """How long to wait for news before the clock is looked at again."""
    return LOOK_SECONDS if due is None else min(LOOK_SECONDS, max(0.0, (due - store.now()) / 1000))


async def fall_asleep(store: Store, keeper: Keeper, run: Run, expires_at: int | None) -> Asleep:
    """Leave a run, whose children are gone, to whoever wakes it."""
    assert run.driver.asleep is not None
    due = wake_at(store, run.driver.asleep.until - run.driver.seconds, expires_at)
    keeper.flush()
    if not await store.sleep(keeper.run_id, keeper.epoch, due):
        return Asleep(keeper.run_id, None, run.driver.telling.emitted, keeper.epoch)
    if due is None:
        run.tell_of_sleep(None, None)
    else:
        run.tell_of_sleep(as_text(due), max(0, due - store.now()) / 1000)
    return Asleep(keeper.run_id, due, run.driver.telling.emitted)


async def require_time(store: Store, summary: Summary, epoch: int) -> None:
    """End a run, of this claim, whose time is over.

    Raises:
        RunExpired: with the report.
    """
    if summary.expires_at is None or store.now() < summary.expires_at:
        return
    error = RunExpired(as_text(summary.expires_at))
    error.report = Report(summary.run_id, error.verdict, tenant=summary.tenant, sleeps=summary.sleeps)
    await store.end(summary.run_id, epoch, Ending(error.verdict.value, error=explain(error)))
    raise error


async def until_due(store: Store, run_id: str) -> None:
    """Wait until there is something to wake a run for, or it is not asleep any more."""
    while True:
        summary = await store.get(run_id)
        due = summary.wake_at
        if summary.state != "asleep" or summary.cancel is not None or await store.answers(run_id):
            return
        if due is not None and due <= store.now():
            return
        with trio.move_on_after(pause_seconds(store, due)):
            await store.news()


async def end_sleeper(store: Store, run_id: str, verdict: Verdict, message: str) -> None:
    """End a run that nobody has; one that another host has by now goes on."""
    told = {"kind": verdict.value, "message": message}
    try:
        epoch = await store.claim(run_id)
        if epoch is not None:
            await store.end(run_id, epoch, Ending(verdict.value, error=told))
    except (Fenced, RunHasEnded, UnknownRun):
        return
