"""Options of commands that tell how a run goes on and what came of it: on stderr, and as a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowcage.host.cli.console import FilePath

if TYPE_CHECKING:
    from flowcage.host.cli.progress import Progress

F = TypeVar("F", bound=Callable[..., Any])


_OPTIONS = (
    click.option("--quiet", is_flag=True, help="No progress on stderr, only warnings."),
    click.option("--plain", is_flag=True, help="Lines in the place of the table, on a terminal too."),
    click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
                 help="What stderr gets: text, or one JSON object a line, for each event and message."),
    click.option("--format", "result_format", type=click.Choice(["text", "json", "raw"]),
                 help="How the result is printed: readable; as one line of JSON that tells how the run "
                 "ended; or alone, a text as it is and else as JSON.  "
                 "[default: text on a terminal, else json]"),
    click.option("-o", "--output", type=FilePath(), help="File for the result, in the place of stdout."),
)  # fmt: skip


def showing(command: F) -> F:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def progress_of(given: Mapping[str, Any], *, has_prompt: bool = False) -> Progress:
    """What they say of stderr."""
    from flowcage.host.cli.progress import Progress

    is_plain = given["plain"] or given.get("detached") is not None  # which has the terminal for a moment only
    return Progress(given["quiet"], is_plain, given["log_format"] == "json", has_prompt)


def is_asked(given: Mapping[str, Any]) -> bool:
    """Whether a person at the terminal answers questions."""
    return not given["no_prompt"] and given["detached"] is None and given["log_format"] == "text"
