"""The options that all forks have; apart from what carries them out, which takes long to import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from flowcage.host.cli.console import Dollars
from flowcage.host.cli.inputs.workflow_args import taking_args
from flowcage.host.cli.names.completion import agents
from flowcage.protocol.limits import MAX_LIMIT

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--explain", is_flag=True,
                 help="Say on stderr what is reused and what runs, and why, before anybody is asked."),
    click.option("--dry-run", is_flag=True,
                 help="Print that on stdout, and ask nobody. Child workflows are read and started."),
    click.option("--json", "as_json", is_flag=True, help="Print what --dry-run finds as JSON."),
    taking_args("Other args than the old run had"),
    click.option("--agent", metavar="NAME[:MODEL]", shell_complete=agents,
                 help="What answers agent(); answers of another one are not reused.  "
                 "[default: that of the old run]"),
    click.option("--model", "model_words", metavar="[ALIAS=]MODEL", multiple=True,
                 help="The model for calls that name none, or for those that name ALIAS; may be repeated.  "
                 "[default: those of the old run, where the agent is that, too]"),
    click.option("--budget", type=click.IntRange(0, MAX_LIMIT),
                 help="Another ceiling on the agents' tokens."),
    click.option("--max-cost", type=Dollars(),
                 help="Another ceiling on what the agents cost, in US dollars."),
    click.option("--max-total-agents", type=click.IntRange(1),
                 help="How often agents are asked in the whole run; answers that are reused do not count."),
)  # fmt: skip


def guiding(command: F) -> F:
    """Give a command the options that all forks have."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
