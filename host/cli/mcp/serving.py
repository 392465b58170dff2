"""What the command line comes to, and one client over stdin and stdout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowcage.host.cli.mcp import stdio
from flowcage.host.cli.mcp.desk import Desk
from flowcage.host.cli.mcp.server import server_of
from flowcage.host.cli.mcp.starts import Starts
from flowcage.host.cli.mcp.terms import Terms
from flowcage.host.durable.address import StorePlace, environment_for, file_of
from flowcage.host.durable.store import Store
from flowcage.host.page.sources import Sources
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.program import Program
from flowcage.host.ui.api.resuming import Resuming


def desk_of(store: Store, place: StorePlace, program: Sequence[str], given: dict[str, Any]) -> Desk:
    """What the command line comes to."""
    runs = KeptRuns(store, given["tenant"], file_of(place), acts=not given["read_only"])
    terms = Terms(
        Path.cwd().resolve(), given["agent"], given["models"], given["max_cost"], given["queue"] is None
    )
    resuming = Resuming(program, place, terms.way_words)
    commands = Program(program, more=environment_for(place))
    # Whoever's they are, they are processes here, unless workers have them.
    whose = None if given["queue"] is None else given["tenant"]
    of_all = KeptRuns(store, whose, file_of(place), acts=runs.acts)
    states = "running,asleep" if given["queue"] is None else "queued,running,asleep"
    starts = Starts(of_all, given["max_runs"], states)
    return Desk(runs, commands, resuming, Sources(), place, terms, starts, given["queue"])


async def serve(desk: Desk) -> str:
    """Answer until the client is gone. Why, where that is worth telling."""
    server, why = server_of(desk), ""
    try:
        async with stdio.own_streams().streams() as (receiving, sending):
            await server.run(receiving, sending, server.create_initialization_options())
    except* stdio.ClientGone as gone:
        why = _first(gone)
    return why


def _first(group: BaseException) -> str:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return str(group)
