"""``--log-format``: what a service says on stderr, as text or as JSON."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import click

from flowcage.host.cli.console import note

F = TypeVar("F", bound=Callable[..., Any])
_WARNING = "warning: "


def option(command: F) -> F:
    """The option."""
    return click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How messages on stderr are written: as text, or a line of JSON each.",
    )(command)


def teller(form: str, room: str, *, warns: bool = False) -> Callable[[str], None]:
    """What writes messages of this room; with JSON, flowcage's own log comes to stderr, too.

    Args:
        form, room: of the messages.
        warns: whether warnings of that log come as text, too: of a service that nobody else hears of.
    """
    from flowcage.host.terminal.log import logger
    from flowcage.host.terminal.log_format import log_to_stderr

    if form == "text":
        if warns:
            log_to_stderr("text", logging.WARNING)
        return note
    log_to_stderr("json")
    log = logger(room)

    def tell(line: str) -> None:
        is_warning = line.startswith(_WARNING)
        log.log(logging.WARNING if is_warning else logging.INFO, "%s", line.removeprefix(_WARNING))

    return tell
