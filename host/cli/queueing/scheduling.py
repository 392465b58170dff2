"""``flowcage schedule``: runs that are begun again and again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, Group, fail
from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.inputs.workflow_args import taking_args
from flowcage.host.cli.names.workflow_path import WorkflowPath
from flowcage.host.cli.queueing.prepared import Prepared, placing, prepared
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.looking.columns import one_line
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave

if TYPE_CHECKING:
    from flowcage.host.durable.queue.records import Schedule
    from flowcage.host.durable.store import Store

_LONGEST_NAME = 100


@click.group(cls=Group)
def schedule() -> None:
    """Have workers begin runs at times, in the words of cron."""


@schedule.command(cls=Command)
@click.argument("name")
@click.argument("cron")
@click.argument("file", metavar="FILE|NAME", type=WorkflowPath())
@taking_args("The workflow's args")
@access.STORE
@placing
@access.JSON
def add(name: str, cron: str, file: Path, store: StorePlace | None, **given: Any) -> None:
    """Begin the workflow in FILE at the times of CRON, in UTC: '0 3 * * *' is each night at three.

    Source and args are kept as they are now; a schedule of this name is replaced. Each time leads to one
    run, however many workers there are; of times at which none was there, the last is made up for.
    """
    from flowcage.host.resume.new.cron import NotScheduled, next_after

    try:
        if not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
            raise InputError(f"NAME must have 1 to {_LONGEST_NAME} printable characters, not {name!r:.200}")
        run = prepared(file, given)
        next_after(cron, 0)
    except (InputError, ValueError, NotScheduled) as error:
        fail(exits.USAGE, str(error))
    kept = access.write(store, lambda opened: _put(opened, name, cron, run, given), makes=True)
    access.say_all([_line(kept)], _json(kept), as_json=given["as_json"])


async def _put(opened: Store, name: str, cron: str, run: Prepared, given: dict[str, Any]) -> Schedule:
    from flowcage.host.durable.queue.records import Schedule
    from flowcage.host.resume.new.cron import next_after
    from flowcage.host.resume.new.queued import OF_WORKERS
    from flowcage.host.resume.new.scheduled import what_of

    settings = {"given": {"fail_on": given["fail_on"]}}
    what = what_of(*run, handlers=OF_WORKERS, settings=settings)
    kept = Schedule(name, cron, given["tenant"], next_after(cron, opened.now()), what)
    await opened.put_schedule(kept)
    return kept


@schedule.command("list", cls=Command)
@access.STORE
@access.JSON
def list_all(store: StorePlace | None, as_json: bool) -> None:
    """List the schedules of the store, when each is due next, and the last run of each."""

    async def work(opened: Store) -> list[Schedule]:
        return await opened.schedules()

    none: list[Schedule] = []
    found = access.read_if_there(store, work, none)
    access.say_all(list(map(_line, found)), {"schedules": list(map(_json, found))}, as_json=as_json)


@schedule.command(cls=Command)
@click.argument("name")
@access.STORE
def remove(name: str, store: StorePlace | None) -> None:
    """Begin nothing more for the schedule NAME. Exit status 1 where there is none."""

    async def work(opened: Store) -> bool:
        return await opened.remove_schedule(name)

    if not access.write(store, work):
        fail(exits.FAILED, f"there is no schedule {name!r}; flowcage schedule list lists them")
    leave(exits.DONE)


def _line(kept: Schedule) -> str:
    from flowcage.host.resume.new.cron import as_text

    last = "" if kept.last_at is None else f", last {as_text(kept.last_at)} as run {kept.last_run}"
    problem = f"; it begins nothing: {kept.problem}" if kept.problem else ""
    tenant = one_line(kept.tenant, _LONGEST_NAME)
    return f"{kept.name}: {kept.cron} (tenant {tenant}), next {as_text(kept.next_at)}{last}{problem}"


def _json(kept: Schedule) -> dict[str, Any]:
    return {
        "name": kept.name,
        "cron": kept.cron,
        "tenant": kept.tenant,
        "nextAt": kept.next_at,
        "lastAt": kept.last_at,
        "lastRun": kept.last_run,
        "problem": kept.problem,
    }
