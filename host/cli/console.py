"""What the commands share: types of options, results on stdout, messages on stderr, the end with a status."""

from __future__ import annotations

import errno
import math
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from flowcage.host.cli import exits
from flowcage.host.cli.runs.times import seconds_of
from flowcage.host.outcome.errors import RunError
from flowcage.host.terminal.form import is_json, record
from flowcage.host.terminal.line_sink import FLUSH_SECONDS, write_all
from flowcage.host.terminal.text import escaped, leave, message, tell, wait_until_told

if TYPE_CHECKING:
    from flowcage.host.cli.arguments import Script
    from flowcage.host.outcome.report import Report

T = TypeVar("T")

_FOREIGN_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf"})


class _Amount(click.FloatRange):
    """A number that is finite and above 0.

    The check of the range alone would let NaN pass, which compares as neither too small nor too large.
    """

    def __init__(self) -> None:
        super().__init__(0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is not a finite number above 0."""
        amount = super().convert(value, param, ctx)
        if not math.isfinite(amount):
            self.fail(f"{value} is not a finite number", param, ctx)
        return amount


class Seconds(_Amount):
    """An option that is a length of time, in seconds where it has no unit."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take ``90s`` or ``1h30m``, too."""
        seconds = seconds_of(value) if isinstance(value, str) else None
        if seconds is None and isinstance(value, str) and not _is_number(value):
            self.fail(f"{value!r} is no length of time; write seconds, or 90s, 1h30m, 2d", param, ctx)
        return super().convert(value if seconds is None else seconds, param, ctx)


class Dollars(_Amount):
    """An option in US dollars: finite and above 0."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take ``$5``, too."""
        return super().convert(value.removeprefix("$") if isinstance(value, str) else value, param, ctx)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class FilePath(click.Path):
    """An option that is a path.

    An empty word, such as a shell variable that is not set, is refused: as a path it would be the working
    folder.

    Args:
        allow_dash: ``-`` is stdin. Without it ``-`` is refused, since a file of that name is never meant.
        given: further arguments of `click.Path`.
    """

    name = "path"

    def __init__(self, *, allow_dash: bool = False, **given: Any) -> None:
        # readable=False, or click would ask access(2) of outputs too; reading tells whether it is possible.
        super().__init__(path_type=Path, readable=False, allow_dash=allow_dash, **given)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty word, and ``-`` where it is not stdin."""
        if value == "":
            self.fail("expected a path, not an empty text", param, ctx)
        if value == "-" and not self.allow_dash:
            self.fail("'-' is not stdin or stdout here; for a file of that name write './-'", param, ctx)
        return super().convert(value, param, ctx)


def require_known_ending(output: Path | None, formats: Sequence[str]) -> None:
    """Leave where a file is called as what no command writes: whoever opens it would see nothing."""
    ending = "" if output is None else output.suffix.lower()
    if ending in _FOREIGN_ENDINGS:
        known = f"{', '.join(formats[:-1])} or {formats[-1]}"
        what = f"no {ending} is written here; use another ending, or --format {known}"
        fail(exits.USAGE, f"-o {output}: {what}")


class Command(click.Command):
    """A command that reports where its help cannot be written, such as to a full disk."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; ``--help`` and ``--version`` write to stdout here, and nothing else does any I/O."""
        try:
            return super().parse_args(ctx, args)
        except OSError as error:
            fail(exits.OUR_FAULT, f"stdout cannot be written to: {error.strerror}")


class Group(Command, click.Group):
    """A group of such commands."""

    command_class = Command


def to_the_end(function: Callable[[], Awaitable[T]], script: Script | None = None) -> T:
    """Run an async function; an error becomes a message and an exit status.

    Args:
        function: the work.
        script: the workflow that it runs, for excerpts and the path as typed.
    """
    from flowcage.host.run.event_loops import Terminated, run_to_end_or_signal  # imports trio, 0.1 s

    try:
        return run_to_end_or_signal(function)
    except RunError as error:
        explained = exits.explain(error, script.text_at(error) if script else "")
        note(script.as_typed(explained) if script else explained)
        if hasattr(error, "report"):  # an error of `check_workflow` has none
            warn(error.report, script)
        leave(exits.status(error))
    except Terminated as ended:
        fail(128 + ended.number, f"ended by {ended}")


def say(text: str) -> None:
    """Write a result to stdout; where that fails, leave with a message.

    This waits for a slow reader without a limit. Call it outside the event loop, where signals end it.
    """
    try:
        write_result(text)
    except OSError as error:
        fail(exits.OUR_FAULT, f"the result cannot be written: {error.strerror}")


def write_result(text: str, shown: Callable[[str], str] = escaped) -> None:
    """The same, where the caller has another exit status.

    Args:
        text: what is written.
        shown: makes it safe for a terminal.

    Raises:
        OSError: stdout takes no more.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "stdout is closed")
    if sys.stderr is not None and os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno()):
        # What came before it stands before it. Elsewhere that would only be time in which a signal ends the
        # command without its result.
        wait_until_told()
    line = shown(text) if sys.stdout.isatty() else text
    # Not through its buffer, which would keep what it could not write, and block once more at the end.
    write_all(sys.stdout.fileno(), f"{line}\n".encode())


def offer(text: str, shown: Callable[[str], str] = escaped) -> None:
    """The same for a command that somebody ended: it waits for the reader, but not for long."""

    def write() -> None:
        with suppress(OSError):
            write_result(text, shown)

    writing = threading.Thread(target=write, daemon=True)
    with suppress(RuntimeError):  # there is no thread to be had
        writing.start()
        writing.join(2 * FLUSH_SECONDS)  # stderr's reader has its share of it


def note(text: str) -> None:
    """Write a message to stderr, if that is open; never waits for its reader."""
    if not is_json():
        tell(message(f"flowcage: {text}"))
        return
    level = next((level for level in ("warning", "note") if text.startswith(f"{level}: ")), None)
    told = text if level is None else text.removeprefix(f"{level}: ")
    tell_record("message", level=level or "error", message=told)


def tell_record(kind: str, /, **members: Any) -> None:
    """Write a record of ``--log-format json`` to stderr, beside those that are events."""
    tell(record(kind, **members))


def warn(report: Report, script: Script | None = None, told_before: Collection[str] = ()) -> None:
    """Write the warnings and notes about a run to stderr, but what the user was told before."""
    for warning in exits.warnings(report, told_before):
        note(script.as_typed(warning) if script else warning)


def fail(status: int, text: str) -> NoReturn:
    """Write a message to stderr and exit with this status."""
    note(text)
    leave(status)
