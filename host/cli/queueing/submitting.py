"""``flowcage submit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, fail, note
from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.inputs.workflow_args import taking_args
from flowcage.host.cli.names.workflow_path import WorkflowPath
from flowcage.host.cli.queueing.prepared import Prepared, placing, prepared
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.times import Until
from flowcage.host.durable.address import StorePlace

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord
    from flowcage.host.durable.store import Store
    from flowcage.host.resume.new.queued import Submitted


@click.command(cls=Command, epilog="Exit status: 0 queued, 2 usage; with --wait that of flowcage wait.")
@click.argument("file", metavar="FILE|NAME", type=WorkflowPath())
@taking_args("The workflow's args")
@access.STORE
@placing
@click.option("--key", help="A second submission of the tenant with this key is the same run.")
@click.option("--at", "not_before", type=Until(), help="When it may begin: a date, 2026-11-28T09:30, or how "
              "long from now, 2h.")  # fmt: skip
@click.option("--wait", is_flag=True, help="Wait for its end, and print how as flowcage wait does.")
@access.JSON
def submit(file: Path, store: StorePlace | None, **given: Any) -> None:
    """Put the workflow in FILE into the queue of the store, and print the run's id.

    A flowcage worker on the same store carries it out: which agents answer, in which cage, and which files
    are child workflows is the worker's choice. ls, show, logs, wait, answer and cancel find the run.
    """
    from flowcage.host.durable.errors import AlreadyThere

    try:
        run = prepared(file, given)
    except (InputError, ValueError) as error:
        fail(exits.USAGE, str(error))
    try:
        submitted = access.write(store, lambda opened: _submitted(opened, run, given), makes=True)
    except AlreadyThere as error:
        fail(exits.USAGE, str(error))
    if not submitted.is_new:
        note(f"note: the key {given['key']!r} has led to this run before")
    if given["wait"]:
        note(f"run {submitted.run_id} is submitted, and goes on whatever becomes of this command")
        _wait(store, submitted.run_id)
    told = {"runId": submitted.run_id, "isNew": submitted.is_new}
    access.say_all([submitted.run_id], told, as_json=given["as_json"])


async def _submitted(opened: Store, run: Prepared, given: dict[str, Any]) -> Submitted:
    from flowcage.host.resume.new.queued import OF_WORKERS, queued_run, submit
    from flowcage.host.run.node import new_run_id

    new = queued_run(
        opened,
        new_run_id(),
        *run,
        tenant=given["tenant"],
        start_key=given["key"],
        settings={"given": {"fail_on": given["fail_on"]}},
        handlers=OF_WORKERS,
    )
    return await submit(opened, new)


def _wait(store: StorePlace | None, run_id: str) -> NoReturn:
    from flowcage.host.cli.runs.looking.following import status_of
    from flowcage.host.cli.runs.looking.summaries import result_json
    from flowcage.host.resume.looking.watching import until_over
    from flowcage.host.terminal.text import leave

    async def work(opened: Store) -> RunRecord:
        await until_over(opened, run_id)
        return await opened.load(run_id)

    record = access.write(store, work)
    access.say_all([], result_json(record), as_json=True)
    leave(status_of(record))
