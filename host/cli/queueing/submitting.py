"""``flowcage submit``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, Dollars, FilePath, Seconds, fail, note
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.inputs import workflow_args
from flowcage.host.cli.inputs.workflow_args import taking_args
from flowcage.host.cli.names.workflow_path import WorkflowPath
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.times import Length, Until
from flowcage.host.durable.address import StorePlace
from flowcage.protocol.limits import MAX_LIMIT
from flowcage.protocol.messages import DIALECTS

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord
    from flowcage.host.durable.store import Store
    from flowcage.host.resume.new.queued import Submitted
    from flowcage.host.run.options import RunOptions

_TEN_YEARS_SECONDS = 315_360_000.0
# Of `flowcage run`: what is the worker's choice here.
_OF_WORKERS = dict.fromkeys(
    ("agent", "model", "models", "routes", "isolation", "child_command", "limits_file")
)


@click.command(cls=Command, epilog="Exit status: 0 queued, 2 usage; with --wait that of flowcage wait.")
@click.argument("file", metavar="FILE|NAME", type=WorkflowPath())
@taking_args("The workflow's args")
@access.STORE
@click.option("--pool", default="", help="Workers that may take it: those with the same --pool.  "
              "[default: the usual ones]")  # fmt: skip
@click.option("--tenant", default="default", show_default=True, help="Whose it is: quotas and fair turns "
              "are by tenant.")  # fmt: skip
@click.option("--priority", type=int, default=0, show_default=True, help="The higher goes first, within the "
              "tenant.")  # fmt: skip
@click.option("--key", help="A second submission of the tenant with this key is the same run.")
@click.option("--at", "not_before", type=Until(), help="When it may begin: a date, 2026-11-28T09:30, or how "
              "long from now, 2h.")  # fmt: skip
@click.option("--retries", type=click.IntRange(0), default=0, show_default=True,
              help="How often it is gone on with, where its end was not its own doing.")  # fmt: skip
@click.option("--wait", is_flag=True, help="Wait for its end, and print how as flowcage wait does.")
@click.option("--timeout", type=Seconds(), help="Time for the whole run, without that in which it is asleep "
              "or nobody has it.  [default: none]")  # fmt: skip
@click.option("--expires-in", type=Length(), help="A time such as 12h or 30d, after which it is not gone on "
              "with any more.")  # fmt: skip
@click.option("--memory", type=click.IntRange(1, 1 << 20), default=128, show_default=True,
              help="MiB of JavaScript heap.")  # fmt: skip
@click.option("--limit", "limit_pairs", metavar="NAME=N", multiple=True,
              help="Any limit, such as cpuSeconds=10.")  # fmt: skip
@click.option("--budget", type=click.IntRange(0, MAX_LIMIT), help="Ceiling on the agents' tokens.")
@click.option("--hard-budget/--soft-budget", default=None, help="As in flowcage run.")
@click.option("--max-cost", type=Dollars(), help="Ceiling on what the agents cost, in US dollars.")
@click.option("--max-agents", type=click.IntRange(1), default=16, show_default=True,
              help="Agents at work at once.")  # fmt: skip
@click.option("--max-total-agents", type=click.IntRange(1), default=1000, show_default=True,
              help="How often agents are asked in the whole run.")  # fmt: skip
@click.option("--agent-failure", type=click.Choice(["null", "throw"]), help="As in flowcage run.")
@click.option("--fail-on", type=click.Choice(["none", "any", "all"]), default="all", show_default=True,
              help="As in flowcage run; for flowcage wait.")  # fmt: skip
@click.option("--root", type=FilePath(file_okay=False, exists=True),
              help="Folder that names of sources are relative to [default: FILE's].")  # fmt: skip
@click.option("--dialect", type=click.Choice(DIALECTS), default="auto", show_default=True,
              help="How to read FILE.")  # fmt: skip
@access.JSON
def submit(file: Path, store: StorePlace | None, **given: Any) -> None:
    """Put the workflow in FILE into the queue of the store, and print the run's id.

    A flowcage worker on the same store carries it out: which agents answer, in which cage, and which files
    are child workflows is the worker's choice. ls, show, logs, wait, answer and cancel find the run.
    """
    from flowcage.host.durable.errors import AlreadyThere

    try:
        queue = _prepared(file, given)
    except (InputError, ValueError) as error:
        fail(exits.USAGE, str(error))
    try:
        submitted = access.write(store, queue, makes=True)
    except AlreadyThere as error:
        fail(exits.USAGE, str(error))
    if not submitted.is_new:
        note(f"note: the key {given['key']!r} has led to this run before")
    if given["wait"]:
        _wait(store, submitted.run_id)
    told = {"runId": submitted.run_id, "isNew": submitted.is_new}
    access.say_all([submitted.run_id], told, as_json=given["as_json"])


def _prepared(file: Path, given: dict[str, Any]) -> Callable[[Store], Awaitable[Submitted]]:
    """What puts the run into the queue of a store. Raises `InputError`, ValueError."""
    from flowcage.host.cli import arguments
    from flowcage.host.resume.new.queued import OF_WORKERS, Place, require_place, submit
    from flowcage.host.run.node import new_run_id

    files = InputFiles({"FILE": file, **workflow_args.named(given)})
    script = arguments.script(files, file, given["root"], given["dialect"])
    args = workflow_args.args(files, given)
    options = _options(files, file, given, script.modules)
    place = require_place(Place(given["pool"], given["priority"], given["not_before"], given["retries"]))

    def queue(opened: Store) -> Awaitable[Submitted]:
        return submit(
            opened,
            new_run_id(),
            script.text,
            script.name,
            args,
            options,
            place,
            tenant=given["tenant"],
            start_key=given["key"],
            settings={"given": {"fail_on": given["fail_on"]}},
            handlers=OF_WORKERS,
        )

    return queue


def _options(files: InputFiles, file: Path, given: dict[str, Any], modules: Mapping[str, str]) -> RunOptions:
    """Limits and choices of the run; nobody is asked by these options."""
    from dataclasses import replace

    from flowcage.host.agents.mock.echo import echo
    from flowcage.host.cli import arguments

    chosen = _OF_WORKERS | given | {"timeout": given["timeout"] or _TEN_YEARS_SECONDS}
    options = arguments.options(files, file, answerer=echo, modules=modules, **chosen)
    return replace(options, agent_identity="")


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
