"""``flowcage replay``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, Seconds, fail, say, to_the_end
from flowcage.host.cli.names import completion
from flowcage.host.cli.runs import access
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave, safe
from flowcage.protocol.messages import ISOLATIONS

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord
    from flowcage.host.resume.replay import Divergence, ReplayReport
    from flowcage.host.run.options import RunOptions

_SHOWN = 100  # characters of a request
_MOST_RUNS = 1_000_000  # of one file


@click.command(cls=Command, epilog="Exit status: 0 the same, 1 another, 2 usage or no such run.")
@click.argument("run", metavar="RUN|FILE", shell_complete=completion.runs_or_files)
@click.option("--verify", is_flag=True, help="Compare with the history; there is no other mode yet.")
@click.option(
    "--until", type=click.IntRange(0), metavar="TURN", help="Of each workflow, compare no more turns."
)
@access.STORE
@click.option(
    "--cage", "--isolation", "isolation", type=click.Choice(ISOLATIONS), help="As for flowcage run."
)
@click.option("--timeout", type=Seconds(), help="Time for all of it.  [default: none]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(run: str, store: StorePlace | None, as_json: bool, until: int | None, **given: Any) -> None:
    """Carry RUN out once more in new children, with nobody asked, and compare it with its history.

    RUN is an id, the beginning of one, or @last; FILE was written by flowcage export, and all of its runs are
    replayed. Child workflows are replayed, too, and runs that have not ended as far as they are known.
    """
    from flowcage.host.cli.runs import keeping
    from flowcage.host.durable.errors import StoreError, StoreFailed
    from flowcage.host.run.options import RunOptions

    options, file = RunOptions(isolation=given["isolation"]), Path(run)
    run_in_it = None if file.is_file() else run
    path = keeping.place_of(store) if run_in_it else file

    async def work() -> list[ReplayReport]:
        records = await _records(path, run_in_it)
        return await _replayed(records, options, until, given["timeout"])

    try:
        reports = to_the_end(work)
    except (StoreError, StoreFailed) as error:
        fail(exits.USAGE, str(error))
    is_same = all(each.is_same for each in reports)
    if as_json:
        say(json.dumps({"same": is_same, "runs": [each.to_json() for each in reports]}))
    else:
        say(safe("\n".join("\n".join(_lines(each)) for each in reports)))
    leave(exits.DONE if is_same else exits.FAILED)


async def _replayed(
    records: list[RunRecord], options: RunOptions, until: int | None, seconds: float | None
) -> list[ReplayReport]:
    import trio

    from flowcage.host.outcome.errors import RunTimedOut
    from flowcage.host.resume.replay import replay as replayed

    with trio.move_on_after(float("inf") if seconds is None else seconds):
        return [await replayed(record, options, until=until) for record in records]
    assert seconds is not None
    raise RunTimedOut(seconds)


async def _records(path: StorePlace, run: str | None) -> list[RunRecord]:
    """One run of a store, or all of an exported file."""
    from flowcage.host.cli.runs import keeping
    from flowcage.host.durable.records import Filter
    from flowcage.host.durable.sqlite.store import SqliteStore

    async with keeping.opened(path, read_only=True) as opened:
        if run is not None:
            return [await opened.load(await opened.find(run))]
        assert isinstance(opened, SqliteStore)
        opened.check()
        found = await opened.runs(Filter(limit=_MOST_RUNS))
        return [await opened.load(each.run_id) for each in reversed(found)]


def _lines(report: ReplayReport) -> list[str]:
    if report.is_same:
        workflows = len(report.workflows)
        head = f"run {report.run_id} is the same: {report.turns} turns of {workflows} workflows"
    else:
        head = f"run {report.run_id} has diverged"
    lines = [head]
    lines += [
        f"  {each.path or '-':<8} {each.end:<9} {each.turns:>6} turns  {each.source_name}"
        for each in report.workflows
    ]
    for divergence in report.divergences:
        lines += _divergence(divergence)
    return lines


def _divergence(divergence: Divergence) -> list[str]:
    where = f"child workflow {divergence.path}, " if divergence.path else ""
    lines = [f"{where}{divergence.source_name}, turn {divergence.turn}: {divergence.difference}"]
    for name, asked in (("before", divergence.before), ("now", divergence.now)):
        lines += [f"  {name + ':':<8}{json.dumps(each, ensure_ascii=False)[:_SHOWN]}" for each in asked[:20]]
    return lines
