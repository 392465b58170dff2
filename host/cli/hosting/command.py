"""The command ``flowcage host``."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, Dollars, FilePath, Seconds, fail, note
from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.operating import logs
from flowcage.host.cli.queueing import doors
from flowcage.host.cli.runs import places
from flowcage.host.cli.setup.options import choosing_or
from flowcage.host.durable.address import StorePlace
from flowcage.protocol.messages import ISOLATIONS

if TYPE_CHECKING:
    from flowcage.host.rpc.settings import Settings


@click.command(cls=Command)
@click.option("--socket", "path", type=FilePath(), help="Path of a Unix socket, for any number of clients of "
              "this user; left out, one client on stdin and stdout.")  # fmt: skip
@places.option("Store that keeps runs: a file, or postgresql://USER@HOST/DATABASE")
@click.option("--no-store", is_flag=True, help="Keep nothing of runs.")
@choosing_or("the client, or nobody")
@click.option("--root", type=FilePath(file_okay=False, exists=True), help="Folder that workflow() may start "
              "files from, where the client does not answer it.  [default: none]")  # fmt: skip
@click.option("--cage", "--isolation", "isolation", type=click.Choice(ISOLATIONS),
              help="The cage of all runs; no client can change it.  [default: strict on Linux]")  # fmt: skip
@click.option("--limit", "limit_pairs", metavar="NAME=N", multiple=True,
              help="A limit of runs that name no other, such as cpuSeconds=10 or maxAgents=4.")  # fmt: skip
@click.option("--max-cost", type=Dollars(), help="Ceiling on what the agents of each run cost, in US "
              "dollars; a client can only lower it.")  # fmt: skip
@click.option("--timeout", type=Seconds(), default=3600.0, show_default=True,
              help="Seconds for each run that names none.")  # fmt: skip
@click.option("--agent-timeout", type=Seconds(), help="Seconds for one attempt of an agent.  "
              "[default: 600, and none where the client answers]")  # fmt: skip
@click.option("--max-runs", type=click.IntRange(1), help="Runs at once, of all clients.  "
              "[default: four for each CPU]")  # fmt: skip
@click.option("--max-queued", type=click.IntRange(0), default=1000, show_default=True,
              help="Further runs, which wait for their turn.")  # fmt: skip
@click.option("--unread-timeout", type=Seconds(), default=60.0, show_default=True,
              help="Seconds after which a client that reads nothing counts as gone.")  # fmt: skip
@click.option("--tenant", default="default", show_default=True, help="Whose all runs are.")
@doors.option
@logs.option
def host(path: Path | None, store: StorePlace | None, **given: Any) -> None:
    """Run workflows for programs in any language, which answer what they ask.

    The programs speak the host protocol, docs/host-protocol.md: JSON-RPC lines in both directions.
    """
    from flowcage.host.durable.errors import StoreError, StoreFailed
    from flowcage.host.serve.socket import ListenError

    if store is not None and given["no_store"]:
        fail(exits.USAGE, "give one of --store and --no-store, not both")
    doors.require_queue(given)
    tell = logs.teller(given["log_format"], "rpc")
    try:
        settings = _settings(given)
    except (InputError, ValueError, TypeError) as error:
        fail(exits.USAGE, str(error))
    kept = None if given["no_store"] else _place_of(store)
    try:
        if path is None:
            _until_told_to_end(settings, kept, None)
        else:
            _listen(path, settings, kept, tell)
    except (ListenError, StoreError, StoreFailed) as error:
        fail(exits.USAGE, str(error))


def _listen(path: Path, settings: Settings, store: StorePlace | None, tell: Any) -> None:
    from flowcage.host.serve.socket import listening

    with listening(path, 0o600) as listener:
        tell(f"serving on {path}")
        _until_told_to_end(settings, store, listener)


def _until_told_to_end(settings: Settings, store: StorePlace | None, listener: Any) -> None:
    from flowcage.host.run.event_loops import Terminated, run_to_end_or_signal

    signals = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    try:
        run_to_end_or_signal(lambda: _serve(settings, store, listener), signals)
    except Terminated as ended:
        for each in signals:  # the socket is still to be removed
            signal.signal(each, signal.SIG_IGN)
        fail(128 + ended.number, f"ended by {ended}")


async def _serve(settings: Settings, store: StorePlace | None, listener: Any) -> None:
    from flowcage.host.cli.runs import keeping
    from flowcage.host.rpc.server import serve

    if store is None:
        await serve(settings, None, listener)
        return
    async with keeping.opened(store) as opened:
        await serve(settings, opened, listener)


def _place_of(given: StorePlace | None) -> StorePlace:
    from flowcage.host.cli.runs import keeping

    return places.absolute(keeping.place_of(given))


def _settings(given: dict[str, Any]) -> Settings:
    from flowcage.host.cli.arguments import limits_of_pairs
    from flowcage.host.rpc.settings import Settings
    from flowcage.host.run.limits import with_limits
    from flowcage.host.run.options import RunOptions
    from flowcage.host.workflows.child_workflows import ChildWorkflows

    options = RunOptions(
        isolation=given["isolation"],
        timeout_seconds=given["timeout"],
        max_cost_usd=given["max_cost"],
    )
    options = with_limits(options, limits_of_pairs(given["limit_pairs"]))
    root = given["root"]
    return Settings(
        options,
        agent=_agent(given),
        workflow=None if root is None else ChildWorkflows(root, root),
        agent_seconds=given["agent_timeout"],
        max_runs=given["max_runs"] or 4 * (os.cpu_count() or 1),
        max_queued=given["max_queued"],
        unread_seconds=given["unread_timeout"],
        tenant=given["tenant"],
        queue=given["queue"],
    )


def _agent(given: dict[str, Any]) -> Any:
    """The agent that was named; without one none is looked for, as it might spend money."""
    if given["agent"] is None and given["fixtures"] is None:
        return None
    from flowcage.host.cli.input_files import InputFiles
    from flowcage.host.cli.setup.agents import agent_of
    from flowcage.host.cli.setup.choice import choose

    folder = Path.cwd()
    told = choose(folder, given)
    if told is not None:
        note(told)
    return agent_of(InputFiles({}), folder, given)
