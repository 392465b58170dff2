"""The command ``flowcage mcp``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, Dollars, fail
from flowcage.host.cli.runs import access, detaching

if TYPE_CHECKING:
    from flowcage.host.durable.sqlite.store import SqliteStore


@click.command(cls=Command)
@click.option("--agent", metavar="NAME[:MODEL]", help="What answers agent() in runs, as in flowcage run.")
@click.option("--model", "models", metavar="[ALIAS=]MODEL", multiple=True,
              help="The model for calls that name none; may be repeated.")  # fmt: skip
@click.option("--max-cost", type=Dollars(), help="Ceiling on the cost of each run, in US dollars; a tool "
              "can only lower it.")  # fmt: skip
@click.option("--read-only", is_flag=True, help="Start nothing, and change no run.")
@click.option("--tenant", help="Show the runs of this tenant alone.")
@access.STORE
def mcp(store: Path | None, **given: Any) -> None:
    """Offer workflows and runs to a coding agent, over the Model Context Protocol on stdin and stdout.

    Workflows are read below the working folder only.
    """
    try:
        from flowcage.host.cli.mcp import serving
    except ImportError as error:
        fail(
            exits.USAGE,
            f"this needs packages that are missing ({error.name}): pip install 'flowcage[mcp]'",
        )
    path = access.present(store) if given["read_only"] else access.path_of(store)
    program = [*detaching.PROGRAM]

    async def work(opened: SqliteStore) -> str:
        return await serving.serve(serving.desk_of(opened, path, program, given))

    use = access.read(path, work) if given["read_only"] else access.write(path, work, makes=True)
    if use:
        fail(exits.FAILED, use)
