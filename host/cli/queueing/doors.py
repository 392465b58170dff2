"""``--queue`` of the commands that begin runs for others: workers carry these out, and answer them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import fail

F = TypeVar("F", bound=Callable[..., Any])

# What the workers choose, by the names that commands have for it.
_OF_WORKERS = {
    "agent": "--agent",
    "models": "--model",
    "model_words": "--model",
    "fixtures": "--fixtures",
    "base": "--base",
    "worktrees": "--worktrees",
    "root": "--root",
    "isolation": "--cage",
    "agent_timeout": "--agent-timeout",
}


def option(command: F) -> F:
    """The option."""
    return click.option(
        "--queue",
        is_flag=False,
        flag_value="",
        metavar="[POOL]",
        help="Put all runs into the queue of the store, for workers of this pool, or of the usual one: they "
        "carry the runs out and answer them.",
    )(command)


def require_queue(given: Mapping[str, Any]) -> None:
    """Refuse a name that no pool has, and options that the workers choose."""
    if given["queue"] is None:
        return
    from flowcage.host.resume.new.queued import require_pool, require_tenant

    try:
        require_pool("--queue", given["queue"])
        if given["tenant"] is not None:
            require_tenant(given["tenant"])
    except ValueError as error:
        fail(exits.USAGE, str(error))
    if refused := sorted({option for name, option in _OF_WORKERS.items() if given.get(name)}):
        fail(exits.USAGE, f"with --queue the workers choose who answers: leave {', '.join(refused)} out")
    if given.get("no_store"):
        fail(exits.USAGE, "--queue needs a store, which has the queue; leave --no-store out")
