"""``flowcage resume``, ``ls``, ``show`` and ``result``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, FilePath, fail, say, to_the_end
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.terminal.text import leave, safe

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord, Summary
    from flowcage.host.events.records import Listener
    from flowcage.host.outcome.report import Outcome

T = TypeVar("T")

_STORE = click.option("--store", type=FilePath(), help="File of the store [default: the user's].")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(cls=Command)
@click.argument("run")
@_STORE
@click.option("--events", type=FilePath(), help="File for every event from now on, as JSON Lines.")
@click.option("--quiet", is_flag=True, help="No progress on stderr, only warnings.")
@click.option("--even-if-cancelled", is_flag=True, help="Go on with a run that was cancelled, too.")
def resume(run: str, store: Path | None, events: Path | None, quiet: bool, even_if_cancelled: bool) -> None:
    """Go on with RUN, which was ended before it was done: an id, the beginning of one, or @last.

    What agents had answered is not asked again. A call that an agent was at work on is asked again.
    """
    from dataclasses import replace

    from flowcage.host.cli.ending import Ending
    from flowcage.host.cli.events_file import EventsFile
    from flowcage.host.cli.progress import watched
    from flowcage.host.cli.runs import keeping
    from flowcage.host.resume.kept import take_up
    from flowcage.host.resume.outside import watched as watching

    path = keeping.store_path(store and store.absolute())
    events = events and events.absolute()
    record = _looked_up(path, run)
    run_id, script = record.summary.run_id, keeping.script_of(record.workflows[""])
    with ExitStack() as stack:
        try:
            options = keeping.options_of(record.settings)
            file = stack.enter_context(EventsFile(events, InputFiles({}))) if events else None
        except InputError as error:
            fail(exits.USAGE, str(error))
        ending = Ending(script, record.settings["given"]["fail_on"], quiet=quiet, run_id=run_id)

        async def work(listener: Listener | None) -> Outcome:
            async with keeping.opened(path) as opened, watching(opened) as outside:
                kept = await take_up(opened, run_id, even_if_cancelled=even_if_cancelled)
                ending.run = kept.run(replace(options, listener=listener), outside=outside)
                ending.is_kept = True
                return await kept.execute(ending.run)

        ending.of(lambda: watched(work, file, quiet=quiet))


@click.command(cls=Command)
@_STORE
@click.option("--limit", type=click.IntRange(1), default=30, show_default=True, help="How many at most.")
@_JSON
def ls(store: Path | None, limit: int, as_json: bool) -> None:
    """Print the runs that are kept, the newest first."""
    from flowcage.host.durable.records import Filter

    runs = _read(store, lambda opened: opened.runs(Filter(limit=limit)))
    if as_json:
        say(json.dumps([_summary(run) for run in runs]))
    elif runs:
        say(safe("\n".join(_line(run) for run in runs)))


@click.command(cls=Command)
@click.argument("run")
@_STORE
@_JSON
def show(run: str, store: Path | None, as_json: bool) -> None:
    """Print how RUN stands, and what became of its calls."""
    from flowcage.host.cli.runs import keeping
    from flowcage.host.cli.runs.shown import shown, shown_as_text

    record = _looked_up(keeping.store_path(store), run)
    found = _summary(record.summary) | shown(record)
    say(json.dumps(found) if as_json else safe(shown_as_text(found)))


@click.command(cls=Command)
@click.argument("run")
@_STORE
@_JSON
def result(run: str, store: Path | None, as_json: bool) -> None:
    """Print the result of RUN as JSON; with --json how it ended, too. Exit status 1 where there is none."""
    from flowcage.host.cli.runs import keeping
    from flowcage.protocol import strictjson
    from flowcage.protocol.messages import MISSING

    record = _looked_up(keeping.store_path(store), run)
    summary, ending = record.summary, record.ending
    has_result = ending is not None and ending.result is not MISSING
    if as_json:
        told: dict[str, Any] = {"runId": summary.run_id, "state": summary.state, "verdict": summary.verdict}
        if ending is not None:
            told |= {"result": ending.result} if has_result else {"error": ending.error}
        say(strictjson.dumps(told))
    elif has_result:
        assert ending is not None
        say(strictjson.dumps(ending.result))
    else:
        fail(exits.FAILED, f"run {summary.run_id} has no result: it is {_standing(summary)}")
    leave(exits.DONE if has_result else exits.FAILED)


def _looked_up(path: Path, run: str) -> RunRecord:
    async def look(opened: Any) -> RunRecord:
        found: RunRecord = await opened.load(await opened.find(run))
        return found

    return _read(path, look)


def _read(store: Path | None, read: Callable[[Any], Awaitable[T]]) -> T:
    from flowcage.host.cli.runs import keeping
    from flowcage.host.durable.errors import StoreError

    async def work() -> T:
        async with keeping.opened(keeping.store_path(store), read_only=True) as opened:
            return await read(opened)

    try:
        return to_the_end(work)
    except StoreError as error:
        fail(exits.USAGE, str(error))


def _summary(run: Summary) -> dict[str, Any]:
    return {
        "runId": run.run_id,
        "tenant": run.tenant,
        "state": run.state,
        "verdict": run.verdict,
        "sourceName": run.source_name,
        "createdAt": run.created_at,
        "updatedAt": run.updated_at,
        "entries": run.entries,
        "bytes": run.bytes,
    }


def _line(run: Summary) -> str:
    began = datetime.fromtimestamp(run.created_at / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"{run.run_id}  {began}  {_standing(run):<14}  {run.source_name}"


def _standing(run: Summary) -> str:
    return run.verdict or run.state
