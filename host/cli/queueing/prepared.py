"""Options of a run that is put into a queue, and what comes of them. Who answers is the worker's choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from flowcage.host.cli.console import Dollars, FilePath, Seconds
from flowcage.host.cli.input_files import InputFiles
from flowcage.host.cli.inputs import workflow_args
from flowcage.host.cli.runs.times import Length
from flowcage.protocol.limits import MAX_LIMIT
from flowcage.protocol.messages import DIALECTS, Json

if TYPE_CHECKING:
    from flowcage.host.resume.new.queued import Place
    from flowcage.host.run.options import RunOptions

F = TypeVar("F", bound=Callable[..., Any])

_TEN_YEARS_SECONDS = 315_360_000.0
# Of `flowcage run`: what is the worker's choice here.
_OF_WORKERS = dict.fromkeys(
    ("agent", "model", "models", "routes", "isolation", "child_command", "limits_file")
)
_OPTIONS = (
    click.option("--pool", default="", help="Workers that may take it: those with the same --pool.  "
                  "[default: the usual ones]"),
    click.option("--tenant", default="default", show_default=True, help="Whose it is: quotas and fair turns "
                  "are by tenant."),
    click.option("--priority", type=int, default=0, show_default=True, help="The higher goes first, within "
                  "the tenant."),
    click.option("--retries", type=click.IntRange(0), default=0, show_default=True,
                  help="How often it is gone on with, where its end was not its own doing."),
    click.option("--timeout", type=Seconds(), help="Time for the whole run, without that in which it is "
                  "asleep or nobody has it.  [default: none]"),
    click.option("--expires-in", type=Length(), help="A time such as 12h or 30d, after which it is not "
                  "gone on with any more."),
    click.option("--memory", type=click.IntRange(1, 1 << 20), default=128, show_default=True,
                  help="MiB of JavaScript heap."),
    click.option("--limit", "limit_pairs", metavar="NAME=N", multiple=True,
                  help="Any limit, such as cpuSeconds=10."),
    click.option("--budget", type=click.IntRange(0, MAX_LIMIT), help="Ceiling on the agents' tokens."),
    click.option("--hard-budget/--soft-budget", default=None, help="As in flowcage run."),
    click.option("--max-cost", type=Dollars(), help="Ceiling on what the agents cost, in US dollars."),
    click.option("--max-agents", type=click.IntRange(1), default=16, show_default=True,
                  help="Agents at work at once."),
    click.option("--max-total-agents", type=click.IntRange(1), default=1000, show_default=True,
                  help="How often agents are asked in the whole run."),
    click.option("--agent-failure", type=click.Choice(["null", "throw"]), help="As in flowcage run."),
    click.option("--fail-on", type=click.Choice(["none", "any", "all"]), default="all", show_default=True,
                  help="As in flowcage run; for flowcage wait."),
    click.option("--root", type=FilePath(file_okay=False, exists=True),
                  help="Folder that names of sources are relative to [default: FILE's]."),
    click.option("--dialect", type=click.Choice(DIALECTS), default="auto", show_default=True,
                  help="How to read FILE."),
)  # fmt: skip


class Prepared(NamedTuple):
    """A run that is not in a queue yet."""

    source: str
    source_name: str
    args: Json
    options: RunOptions
    place: Place


def placing(command: F) -> F:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def prepared(file: Path, given: Mapping[str, Any]) -> Prepared:
    """The run of a command. Raises `InputError`, ValueError."""
    from flowcage.host.cli import arguments
    from flowcage.host.resume.new.queued import Place, require_key, require_place, require_tenant

    require_tenant(given["tenant"])
    if given.get("key") is not None:
        require_key(given["key"])

    files = InputFiles({"FILE": file, **workflow_args.named(given)})
    script = arguments.script(files, file, given["root"], given["dialect"])
    args = workflow_args.args(files, given)
    options = _options(files, file, given, script.modules)
    place = Place(given["pool"], given["priority"], given.get("not_before"), given["retries"])
    return Prepared(script.text, script.name, args, options, require_place(place))


def _options(
    files: InputFiles, file: Path, given: Mapping[str, Any], modules: Mapping[str, str]
) -> RunOptions:
    """Limits and choices of the run; nobody is asked by these options."""
    from dataclasses import replace

    from flowcage.host.agents.mock.echo import echo
    from flowcage.host.cli import arguments

    chosen = {**_OF_WORKERS, **given, "timeout": given["timeout"] or _TEN_YEARS_SECONDS}
    options = arguments.options(files, file, answerer=echo, modules=modules, **chosen)
    return replace(options, agent_identity="")
