"""``flowcage ls``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli.console import Command, note
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.looking.columns import aligned, one_line, pool_of
from flowcage.host.cli.runs.looking.summaries import INTERRUPTED, standing, summary_json, was_interrupted
from flowcage.host.cli.runs.times import Since, told
from flowcage.host.durable.address import StorePlace
from flowcage.host.outcome.verdict import Verdict

if TYPE_CHECKING:
    from flowcage.host.durable.records import Filter, Summary
    from flowcage.host.durable.store import Store
    from flowcage.host.run.core.agents.spending import Costs

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
@click.option("--costs", is_flag=True, help="Tokens and dollars of each run too, which reads what they did.")
@access.STORE
@access.JSON
def ls(
    states: tuple[str, ...],
    verdicts: tuple[str, ...],
    since: int | None,
    limit: int,
    costs: bool,
    store: StorePlace | None,
    as_json: bool,
) -> None:
    """Print the runs that are kept, the newest first.

    A run is interrupted if it has not ended, and the process that had it is gone.
    """
    path = access.place_of(store)
    which = filter_of(states)._replace(verdicts=verdicts or None, since=since, limit=limit)
    none: list[Summary] = []
    runs = access.read_if_there(path, lambda opened: opened.runs(which), none)
    bills = bills_of(path, runs) if costs else {}
    told = [summary_json(run) | _bill_json(bills.get(run.run_id)) for run in runs]
    access.say_all(_lines(runs, bills), told, as_json=as_json)
    _hint([run for run in runs if was_interrupted(run)])


def filter_of(states: tuple[str, ...]) -> Filter:
    """The runs in these states; none of them is all."""
    from flowcage.host.durable.records import Filter

    if not states:
        return Filter()
    kept = dict.fromkeys("running" if each == INTERRUPTED else each for each in states)
    is_told_apart = ("running" in states) != (INTERRUPTED in states)
    return Filter(states=tuple(kept), abandoned=INTERRUPTED in states if is_told_apart else None)  # type: ignore[arg-type]


def bills_of(path: StorePlace, runs: list[Summary]) -> dict[str, Costs]:
    """What the agents of each run cost; a run that cannot be read, or is gone by now, has none."""
    from flowcage.host.durable.errors import DamagedEntry, UnknownRun
    from flowcage.host.resume.looking.story import story_of

    async def read(store: Store) -> dict[str, Costs]:
        found: dict[str, Costs] = {}
        for run in runs:
            with suppress(DamagedEntry, UnknownRun):
                found[run.run_id] = story_of(await store.load(run.run_id)).totals
        return found

    return access.read(path, read) if runs else {}


def _bill_json(costs: Costs | None) -> dict[str, Any]:
    from flowcage.host.resume.looking.calls import costs_to_json

    return {} if costs is None else {"usage": costs_to_json(costs)}


def _lines(runs: list[Summary], bills: Mapping[str, Costs]) -> list[str]:
    if not runs:
        return []
    pool = "POOL" if any(run.pool is not None for run in runs) else ""
    tenant = "TENANT" if any(run.tenant for run in runs) else ""
    head: tuple[str, ...] = ("RUN", "BEGUN", "STATE", pool, tenant)
    head += (("TOKENS", "COST") if bills else ()) + ("WORKFLOW",)
    rows = [
        (
            run.run_id,
            told(run.created_at),
            one_line(standing(run), 30),
            "" if run.pool is None else one_line(pool_of(run.pool), 20),
            one_line(run.tenant, 20),
            *(_bill(bills.get(run.run_id)) if bills else ()),
            one_line(run.source_name, _NAME),
        )
        for run in runs
    ]
    return aligned([head, *rows])


def _bill(costs: Costs | None) -> tuple[str, str]:
    from flowcage.host.cli.runs.looking.bills import dollars

    return ("", "") if costs is None else (f"{costs.tokens:,}" if costs.tokens else "", dollars(costs))


def _hint(interrupted: list[Summary]) -> None:
    if interrupted:
        count = len(interrupted)
        which = "1 run was" if count == 1 else f"{count} runs were"
        note(f"{which} interrupted; go on with: flowcage resume {interrupted[0].run_id}")
