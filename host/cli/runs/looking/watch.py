"""``flowcage watch``: a run of another process as it goes on."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, fail, note
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.looking.following import may_go_on, status_of
from flowcage.host.cli.runs.looking.summaries import result_json, standing
from flowcage.host.cli.showing import progress_of, showing
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave

if TYPE_CHECKING:
    from flowcage.host.cli.outcomes.conclusion import Conclusion
    from flowcage.host.cli.progress import Progress
    from flowcage.host.durable.records import RunRecord, Summary
    from flowcage.host.durable.store import Store
    from flowcage.host.events.records import Event
    from flowcage.host.resume.looking.telling import Telling

_LATE_SECONDS = 15.0  # after which nobody seems to wake a run


@click.command(cls=Command)
@access.RUN
@access.STORE
@showing
def watch(run: str, store: StorePlace | None, **given: Any) -> None:
    """Follow RUN, of whichever process, until it has ended, and print its result as flowcage run does.

    RUN is an id, the beginning of one, or @last. The exit status is that of flowcage run for such an end; 137
    where the process that had it was killed. Ctrl-C ends the watching, and not the run.
    """
    from flowcage.host.cli.outcomes.conclusion import Conclusion

    try:
        conclusion = Conclusion.of_command(InputFiles({}), given | {"store": store})
    except InputError as error:
        fail(exits.USAGE, str(error))
    goes_on = may_go_on(store, run)

    async def work(opened: Store) -> RunRecord:
        run_id = await opened.find(run)
        return await _follow(opened, run_id, progress_of(given), goes_on=goes_on)

    try:
        record = (access.write if goes_on else access.read)(store, work)
    except KeyboardInterrupt:
        note(f"note: the run goes on; flowcage watch {run} follows it again")
        raise
    _conclude(record, run, conclusion)


async def _follow(opened: Store, run_id: str, progress: Progress, *, goes_on: bool) -> RunRecord:
    """Tell of a run until it ends, or nobody has it."""
    from flowcage.host.cli.progress import Past, told
    from flowcage.host.resume.looking.news import told as events_of
    from flowcage.host.resume.looking.telling import Telling

    record = await opened.load(run_id)
    telling = Telling(record.summary, record.rules)
    past = Past(lambda: events_of(telling, record.entries), is_told=True)
    async with told(progress, past, _clock(record.summary)) as listener:
        show = listener or (lambda _: None)
        if goes_on:
            async with aclosing(_news(opened, run_id, telling)) as news:
                async for event in news:
                    show(event)
        record = await opened.load(run_id)
        ends = (telling.end(record), _left(record.summary))
        for event in (*events_of(telling, record.entries), *(each for each in ends if each is not None)):
            show(event)
    return record


async def _news(opened: Store, run_id: str, telling: Telling) -> AsyncGenerator[Event]:
    """The events of a run as long as it goes on."""
    from flowcage.host.resume.looking import watching
    from flowcage.host.resume.looking.news import news

    is_late, is_first = False, True
    async with aclosing(news(opened, telling, watching.changes(opened, run_id))) as found:
        async for summary, events in found:
            for event in events:
                yield event
            if summary.state == "queued" and is_first:
                note(f"note: run {run_id} is in a queue, and has not begun")
            if not is_late and _is_overdue(summary):
                is_late = True
                note(f"note: nobody has woken the run; flowcage resume {run_id} does")
            is_first = False


def _clock(summary: Summary) -> Callable[[], float]:
    """Seconds since a run was made, by the time of the day."""
    return lambda: max(0.0, time.time() - summary.created_at / 1000)


def _left(summary: Summary) -> Event | None:
    """That its process is gone, where it is."""
    from flowcage.host.resume.looking.telling import Left

    if not summary.is_abandoned:
        return None
    at = max(0.0, (summary.written_at - summary.created_at) / 1000)
    return Left(summary.run_id, at, root_run_id=summary.run_id, tenant=summary.tenant)


def _is_overdue(summary: Summary) -> bool:
    wake_at = summary.wake_at
    return summary.state == "asleep" and wake_at is not None and time.time() > wake_at / 1000 + _LATE_SECONDS


def _conclude(record: RunRecord, run: str, conclusion: Conclusion) -> None:
    from flowcage.host.cli.outcomes.conclusion import Spent
    from flowcage.host.resume.looking.story import story_of
    from flowcage.host.run.reporting import census_of

    summary = record.summary
    totals = story_of(record).totals
    seconds = max(0, summary.updated_at - summary.created_at) / 1000
    spent = Spent(seconds, census_of(totals), totals.tokens, totals.cost_usd, totals.unpriced)
    members = result_json(record)
    if isinstance(error := members.get("error"), dict):
        place = f"{error['place']}: " if error.get("place") else ""
        note(f"{summary.verdict}: {place}{error.get('message')}")
    if summary.is_abandoned:
        note(f"run {summary.run_id} was interrupted; go on with: flowcage resume {summary.run_id}")
    try:
        conclusion.tell(standing(summary), spent, members, run)
    except OSError as error:
        fail(exits.OUR_FAULT, f"the result cannot be written: {error.strerror}")
    leave(status_of(record))
