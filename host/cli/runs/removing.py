"""``flowcage rm`` and ``flowcage prune``."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, note
from flowcage.host.cli.names import completion
from flowcage.host.cli.runs import access, detaching
from flowcage.host.cli.runs.times import Length
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave

if TYPE_CHECKING:
    from flowcage.host.durable.store import Store


@click.command(cls=Command)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=completion.runs)
@access.STORE
@access.JSON
def rm(runs: tuple[str, ...], store: StorePlace | None, as_json: bool) -> None:
    """Remove runs that are over: ids, beginnings of some, or @last. Prints the ids of those that are gone.

    Where a RUN is unknown, nothing is removed. One that goes on, or whose answers a fork reuses, is left.
    """
    from flowcage.host.durable.errors import StoreError

    async def remove(opened: Store) -> tuple[list[str], list[str]]:
        found = dict.fromkeys([await opened.find(run) for run in runs])
        gone, refusals = [], []
        for run_id in found:
            try:
                await opened.delete(run_id)
            except StoreError as error:
                refusals.append(str(error))
            else:
                gone.append(run_id)
        return gone, refusals

    gone, refusals = access.write(store, remove)
    _remove_logs(access.place_of(store), gone)
    access.say_all(gone, gone, as_json=as_json)
    for refusal in refusals:
        note(refusal)
    leave(exits.FAILED if refusals else exits.DONE)


@click.command(cls=Command)
@click.option(
    "--older-than", type=Length(), required=True, help="How long ago they ended at least: 90s, 2h, 30d."
)
@click.option("--tenant", help="Whose runs; those of the command line are of the tenant ''.  [default: all]")
@click.option("--dry-run", is_flag=True, help="Remove nothing; print what would be removed.")
@access.STORE
@access.JSON
def prune(
    older_than: float, tenant: str | None, dry_run: bool, store: StorePlace | None, as_json: bool
) -> None:
    """Remove runs that have ended so long ago, and print their ids.

    Runs that are open or have diverged are kept, and those whose answers a fork reuses.
    """
    before = int((time.time() - older_than) * 1000)
    doing = access.read if dry_run else access.write
    gone = doing(store, lambda opened: opened.prune(before, tenant, dry_run=dry_run))
    if not dry_run:
        _remove_logs(access.place_of(store), gone)
    access.say_all(gone, gone, as_json=as_json)


def _remove_logs(store: StorePlace, run_ids: list[str]) -> None:
    """The messages of runs that were detached go with them."""
    for run_id in run_ids:
        with suppress(OSError):
            detaching.log_of(store, run_id).unlink()
