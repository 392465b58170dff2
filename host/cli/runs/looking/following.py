"""``flowcage logs`` and ``wait``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, NoReturn

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, note, write_result
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.looking.summaries import result_json
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave
from flowcage.protocol import strictjson

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord, Summary
    from flowcage.host.durable.store import Store
    from flowcage.host.events.records import Event


@click.command(cls=Command)
@access.RUN
@click.option(
    "-f", "--follow", is_flag=True, help="Go on until the run has ended, or is left by its process."
)
@access.STORE
@access.JSON
def logs(run: str, follow: bool, store: StorePlace | None, as_json: bool) -> None:
    """Print what happened in RUN, one line each: log(), phases, agents, diagnostics.

    With --json each line is an event; what a history does not have of one is empty.
    """
    from flowcage.host.cli.runs.looking.narrated import Lines

    follow = follow and may_go_on(store, run)

    async def work(opened: Store) -> Summary | None:
        run_id = await opened.find(run)
        lines, summary = Lines(), None
        async with aclosing(_events(opened, run_id, follow=follow)) as found:
            async for stands, events in found:
                summary = stands
                told = [
                    strictjson.dumps_ascii(each.to_json()) if as_json else lines.line(each) for each in events
                ]
                try:
                    await _print([line for line in told if line])
                except BrokenPipeError:  # whoever reads it has seen enough
                    return None
        return summary

    summary = (access.write if follow else access.read)(store, work)
    if summary is None:
        leave(access.PIPE_CLOSED)
    if summary.is_abandoned:
        note(f"run {summary.run_id} was interrupted; go on with: flowcage resume {summary.run_id}")


@click.command(cls=Command)
@access.RUN
@access.STORE
def wait(run: str, store: StorePlace | None) -> None:
    """Wait until RUN has ended, and print how as `flowcage result --json` does.

    The exit status is that of `flowcage run` for such an end; 137 where the process that had it was killed.
    """
    wait_and_leave(store, run)


def wait_and_leave(store: StorePlace | None, run: str) -> NoReturn:
    """Wait until a run has ended, print how, and leave with the exit status of such an end."""
    from flowcage.host.resume.looking import watching

    goes_on = may_go_on(store, run)

    async def work(opened: Store) -> RunRecord:
        run_id = await opened.find(run)
        if goes_on:
            async with aclosing(watching.changes(opened, run_id)) as changes:
                async for _ in changes:
                    pass
        return await opened.load(run_id)

    record = (access.write if goes_on else access.read)(store, work)
    summary = record.summary
    if summary.is_abandoned:
        note(f"run {summary.run_id} was interrupted; go on with: flowcage resume {summary.run_id}")
    access.say_all([], result_json(record), as_json=True)
    leave(status_of(record))


def may_go_on(store: StorePlace | None, run: str) -> bool:
    """Whether there is anything to follow. If not, the store need not be one that can be written."""
    from flowcage.host.resume.looking import watching

    async def look(opened: Store) -> bool:
        return watching.may_change(await opened.get(await opened.find(run)))

    return access.read(store, look)


async def _events(opened: Store, run_id: str, *, follow: bool) -> AsyncGenerator[tuple[Summary, list[Event]]]:
    """What is new of a run, as long as it goes on."""
    from flowcage.host.resume.looking import watching
    from flowcage.host.resume.looking.news import news, told
    from flowcage.host.resume.looking.telling import Telling

    record = await opened.load(run_id)
    telling = Telling(record.summary, record.rules)
    yield record.summary, told(telling, record.entries)
    if follow:
        async with aclosing(news(opened, telling, watching.changes(opened, run_id))) as found:
            async for summary, events in found:
                yield summary, events
    record = await opened.load(run_id)
    last = telling.end(record)
    yield record.summary, [*told(telling, record.entries), *([] if last is None else [last])]


async def _print(lines: list[str]) -> None:
    import trio

    if lines:  # in a thread: whoever reads may be slow, and Ctrl-C must end the command all the same
        text = access.for_stdout("\n".join(lines))
        await trio.to_thread.run_sync(write_result, text, abandon_on_cancel=True)


def status_of(record: RunRecord) -> int:
    """The exit status of `flowcage run` for this end."""
    from flowcage.host.outcome.verdict import Exit, Verdict

    summary = record.summary
    if summary.is_abandoned:
        return Exit.KILLED
    try:
        verdict = Verdict(summary.verdict or "")
    except ValueError:  # diverged, or of a later version
        return exits.OUR_FAULT
    if verdict is Verdict.COMPLETED:
        return _status_of_completed(record)
    return exits.FAILED if verdict.exit_status is None else verdict.exit_status


def _status_of_completed(record: RunRecord) -> int:
    from flowcage.host.cli.outcomes.ending import explain_loss
    from flowcage.host.resume.looking.story import story_of
    from flowcage.host.run.reporting import census_of

    given = record.settings.get("given") if isinstance(record.settings, dict) else None
    fail_on = given.get("fail_on") if isinstance(given, dict) else None
    if fail_on not in ("any", "all"):
        return exits.DONE
    return exits.DONE if explain_loss(census_of(story_of(record).totals), fail_on) is None else exits.FAILED
