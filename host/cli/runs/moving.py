"""``flowcage export`` and ``flowcage import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowcage.host.cli.console import Command, FilePath
from flowcage.host.cli.runs import access
from flowcage.host.durable.address import StorePlace

if TYPE_CHECKING:
    from flowcage.host.durable.store import Store


@click.command("export", cls=Command)
@access.RUN
@click.argument("file", type=FilePath())
@access.STORE
@access.JSON
def export_run(run: str, file: Path, store: StorePlace | None, as_json: bool) -> None:
    """Write RUN, and the runs that it was forked from, to FILE, which must not be there. Prints their ids.

    The file is a store itself, with all that the runs were told and answered.
    """
    target = file.absolute()

    async def write(opened: Store) -> list[str]:
        return await opened.export(await opened.find(run), target)

    written = access.read(store, write)
    access.say_all(written, written, as_json=as_json)


@click.command("import", cls=Command)
@click.argument("file", type=FilePath())
@click.option("--tenant", help="Whose the runs shall be.  [default: whose they were]")
@access.STORE
@access.JSON
def import_runs(file: Path, tenant: str | None, store: StorePlace | None, as_json: bool) -> None:
    """Read the runs of a file that export has written, and print the ids of those that are new here.

    One that was still going on waits here until it is resumed, which nothing keeps from being done twice.
    """
    source = file.absolute()

    async def read(opened: Store) -> list[str]:
        return await opened.import_from(source, tenant)

    new = access.write(store, read, makes=True)
    access.say_all(new, new, as_json=as_json)
