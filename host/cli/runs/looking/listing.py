"""``flowcage ls``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowcage.host.cli.console import Command, note
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.looking.columns import aligned, one_line
from flowcage.host.cli.runs.looking.summaries import INTERRUPTED, standing, summary_json
from flowcage.host.cli.runs.times import Since, told
from flowcage.host.outcome.verdict import Verdict

if TYPE_CHECKING:
    from flowcage.host.durable.records import Filter, Summary

STATES = ("queued", "running", INTERRUPTED, "asleep", "diverged", "ended")
_NAME = 60  # characters of a source's name


@click.command(cls=Command)
@click.option(
    "--state",
    "states",
    type=click.Choice(STATES),
    multiple=True,
    help="Only runs in this state; may be repeated.",
)
@click.option("--verdict", "verdicts", type=click.Choice([str(each) for each in Verdict]), multiple=True,
              metavar="VERDICT", help="Only runs that ended so; may be repeated.")  # fmt: skip
@click.option("--since", type=Since(), help="Only runs begun since then: 2h, 30d, or a date.")
@click.option(
    "--limit", type=click.IntRange(1, 2**31), default=30, show_default=True, help="How many at most."
)
@access.STORE
@access.JSON
def ls(
    states: tuple[str, ...],
    verdicts: tuple[str, ...],
    since: int | None,
    limit: int,
    store: Path | None,
    as_json: bool,
) -> None:
    """Print the runs that are kept, the newest first.

    A run is interrupted if it has not ended, and the process that had it is gone.
    """
    path = access.path_of(store)
    which = filter_of(states)._replace(verdicts=verdicts or None, since=since, limit=limit)
    if not os.path.exists(path):
        note(f"there is no store {path}")
        runs: list[Summary] = []
    else:
        runs = access.read(path, lambda opened: opened.runs(which))
    access.say_all(_lines(runs), [summary_json(run) for run in runs], as_json=as_json)
    _hint([run for run in runs if run.is_abandoned])


def filter_of(states: tuple[str, ...]) -> Filter:
    """The runs in these states; none of them is all."""
    from flowcage.host.durable.records import Filter

    if not states:
        return Filter()
    kept = dict.fromkeys("running" if each == INTERRUPTED else each for each in states)
    is_told_apart = ("running" in states) != (INTERRUPTED in states)
    return Filter(states=tuple(kept), abandoned=INTERRUPTED in states if is_told_apart else None)  # type: ignore[arg-type]


def _lines(runs: list[Summary]) -> list[str]:
    if not runs:
        return []
    head = ("RUN", "BEGUN", "STATE", "TENANT" if any(run.tenant for run in runs) else "", "WORKFLOW")
    rows = [
        (
            run.run_id,
            told(run.created_at),
            one_line(standing(run), 30),
            one_line(run.tenant, 20),
            one_line(run.source_name, _NAME),
        )
        for run in runs
    ]
    return aligned([head, *rows])


def _hint(interrupted: list[Summary]) -> None:
    if interrupted:
        count = len(interrupted)
        which = "1 run was" if count == 1 else f"{count} runs were"
        note(f"{which} interrupted; go on with: flowcage resume {interrupted[0].run_id}")
