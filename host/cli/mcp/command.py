"""The command ``flowcage mcp``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, Dollars, FilePath, fail
from flowcage.host.cli.names.completion import agents
from flowcage.host.cli.operating import logs
from flowcage.host.cli.queueing import doors
from flowcage.host.cli.runs import access, detaching
from flowcage.host.durable.address import StorePlace

if TYPE_CHECKING:
    from flowcage.host.cli.mcp.http.listening import Place
    from flowcage.host.durable.store import Store


@click.command(cls=Command)
@click.option(
    "--agent",
    metavar="NAME[:MODEL]",
    shell_complete=agents,
    help="What answers agent() in runs, as in flowcage run.",
)
@click.option("--model", "models", metavar="[ALIAS=]MODEL", multiple=True,
              help="The model for calls that name none; may be repeated.")  # fmt: skip
@click.option("--max-cost", type=Dollars(), help="Ceiling on the cost of each run, in US dollars; a tool "
              "can only lower it.")  # fmt: skip
@click.option("--max-runs", type=click.IntRange(1, 100), default=50, show_default=True,
              help="Runs of the store that go on or sleep, above which none is started.")  # fmt: skip
@click.option("--read-only", is_flag=True, help="Start nothing, and change no run.")
@click.option(
    "--tenant",
    help="Show the runs of this tenant alone, and begin none; with --queue "
    "those that are begun are the tenant's, too.",
)
@click.option("--http", "address", metavar="[HOST:]PORT",
              help="Serve many clients at http://HOST:PORT/mcp, in place of the one on stdin and stdout; "
              "without HOST on loopback, port 0 takes a free one.")  # fmt: skip
@click.option("--token-file", type=FilePath(), help="File of the token that clients send over HTTP; it is "
              "made where there is none.  [default: mcp.token, beside the user's store]")  # fmt: skip
@click.option("--allow-host", "allowed", multiple=True, metavar="NAME[:PORT]",
              help="A further name under which clients ask over HTTP; may be repeated.")  # fmt: skip
@doors.option
@access.STORE
@logs.option
def mcp(store: StorePlace | None, **given: Any) -> None:
    """Offer workflows and runs to coding agents over the Model Context Protocol: stdin and stdout, or HTTP.

    Workflows are read below the working folder only.
    """
    try:
        from flowcage.host.cli.mcp import serving

        place = None if given["address"] is None else _place(given)
    except ImportError as error:
        fail(
            exits.USAGE,
            f"this needs packages that are missing ({error.name}): pip install 'flowcage[mcp]'",
        )
    doors.require_queue(given)
    if place is None and (given["token_file"] or given["allowed"]):
        fail(exits.USAGE, "--token-file and --allow-host need --http")
    path = access.present(store) if given["read_only"] else access.place_of(store)
    program = [*detaching.PROGRAM]

    async def work(opened: Store) -> str:
        desk, tell = serving.desk_of(opened, path, program, given), logs.teller(given["log_format"], "ui")
        if place is not None:
            from flowcage.host.cli.mcp.http.listening import serve

            return await serve(desk, place, tell)
        return await serving.serve(desk)

    use = access.read(path, work) if given["read_only"] else access.write(path, work, makes=True)
    if use:
        fail(exits.FAILED, use)


def _place(given: dict[str, Any]) -> Place:
    """Where it is served over HTTP."""
    from flowcage.host.cli.mcp.http.listening import Place
    from flowcage.host.metrics.exposed import CannotExpose, read_address
    from flowcage.host.ui.door.keys import TokenError
    from flowcage.host.ui.server import ListenError, listening

    try:
        address = read_address(given["address"])
        file = given["token_file"] or _token_file()
        listener = listening(address.host, address.port, "--http", "--http")
        return Place(listener, address.host, given["allowed"], file.absolute())
    except CannotExpose as error:
        fail(exits.USAGE, f"--http {given['address']}: {error}")
    except (TokenError, ListenError) as error:
        fail(exits.USAGE, str(error))


def _token_file() -> Path:
    from flowcage.host.durable.sqlite.store import default_path

    file = default_path().with_name("mcp.token")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return file
