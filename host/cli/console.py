"""What every command does: say results, tell people, end with a status."""

from __future__ import annotations

import errno
import math
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from flowcage.host.cli import exits
from flowcage.host.outcome.errors import RunError
from flowcage.host.terminal.line_sink import write_all
from flowcage.host.terminal.text import escaped, leave, message, tell, wait_until_told

if TYPE_CHECKING:
    from flowcage.host.cli.arguments import Script
    from flowcage.host.outcome.report import Report

T = TypeVar("T")


class Seconds(click.FloatRange):
    """A length of time; NaN compares as neither too small nor too large, and is none."""

    name = "seconds"

    def __init__(self) -> None:
        super().__init__(0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is not a finite number above 0."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value} is not a length of time", param, ctx)
        return seconds


class FilePath(click.Path):
    """A path; an empty word, such as a variable that is not set, would be the working folder."""

    name = "path"

    def __init__(self, **given: Any) -> None:
        # Whether it can be read is found out by reading it; access(2) would ask that of outputs, too.
        super().__init__(path_type=Path, readable=False, **given)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty one."""
        if value == "":
            self.fail("expected a path, not an empty text", param, ctx)
        return super().convert(value, param, ctx)


def to_the_end(function: Callable[[], Awaitable[T]], script: Script | None = None) -> T:
    """Run an async function; how it fails becomes a message and an exit status."""
    from flowcage.host.run.blocking import Terminated, run_to_end_or_signal  # trio: 0.1 s

    try:
        return run_to_end_or_signal(function)
    except RunError as error:
        explained = exits.explain(error, script.text if script else "")
        note(script.as_typed(explained) if script else explained)
        if hasattr(error, "report"):  # else it is one of `check_workflow`
            warn(error.report, script)
        leave(exits.status(error))
    except Terminated as ended:
        fail(128 + ended.number, f"ended by {ended}")


def say(text: str) -> None:
    """Write a result to stdout; a reader that has left, or a full disk, gets no traceback for it.

    It waits for a reader as long as that takes. Call it outside the event loop, where signals end it.
    """
    wait_until_told()  # what came before it stands before it where both streams are one terminal
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "stdout is closed")
        line = escaped(text) if sys.stdout.isatty() else text
        # Not through its buffer, which would keep what it could not write, and block once more at the end.
        write_all(sys.stdout.fileno(), f"{line}\n".encode())
    except OSError as error:
        fail(exits.OUR_FAULT, f"the result cannot be written: {error.strerror}")


def note(text: str) -> None:
    """Say something on stderr, if that is to be had; never waits for whoever reads it."""
    tell(message(f"flowcage: {text}"))


def warn(report: Report, script: Script | None = None) -> None:
    """Say what a result, or an error, does not tell of the run."""
    for warning in exits.warnings(report):
        note(script.as_typed(warning) if script else warning)


def fail(status: int, text: str) -> NoReturn:
    """Say what went wrong on stderr, and leave with this exit status."""
    note(text)
    leave(status)
