"""The command line: ``flowcage run``, ``flowcage check``, ``flowcage types``, ``flowcage schema``,
``flowcage doctor``.

stdout carries results and nothing else; everything for a person goes to stderr.
"""

from __future__ import annotations

import errno
import json
import math
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from flowcage.host import exits, inputs
from flowcage.host.blocking import Terminated, run_to_end_or_signal
from flowcage.host.errors import RunError
from flowcage.host.terminal import leave, safe, tell
from flowcage.protocol.limits import MAX_LIMIT
from flowcage.protocol.messages import DIALECTS, ISOLATIONS, missing_layers
from flowcage.protocol.version import PACKAGE_VERSION

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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(PACKAGE_VERSION, prog_name="flowcage")
def cli() -> None:
    """Run untrusted JavaScript workflows, each in its own caged child process."""


@cli.command(epilog="Exit status: 0 done, 1 the workflow failed, 2 usage, 124 timeout, 125 flowcage's "
             "fault, 130 interrupted, 137 out of memory or killed.")  # fmt: skip
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--args", "args_json", metavar="JSON", help="The workflow's args, as JSON.")
@click.option("--args-file", type=click.Path(path_type=Path), help="The same, from a JSON file.")
@click.option("--arg", "args_pairs", metavar="K=V", multiple=True, help="One string member of args.")
@click.option("--agent", default="echo", show_default=True, help="Who answers agent(): echo or command:CMD.")
@click.option("--agent-timeout", type=Seconds(), default=600.0, show_default=True,
              help="Seconds one agent may take.")  # fmt: skip
@click.option("--timeout", type=Seconds(), default=3600.0, show_default=True,
              help="Seconds for the whole run.")  # fmt: skip
@click.option("--memory", type=click.IntRange(1, 1 << 20), default=128, show_default=True,
              help="MiB of JavaScript heap.")  # fmt: skip
@click.option("--limit", "limit_pairs", metavar="NAME=N", multiple=True,
              help="Any limit, such as cpuSeconds=10; comes before all other options.")  # fmt: skip
@click.option("--limits", "limits_file", type=click.Path(path_type=Path),
              help="Limits as a JSON object in a file; --limit comes before it.")  # fmt: skip
@click.option("--isolation", type=click.Choice(ISOLATIONS), help="[default: strict on Linux]")
@click.option("--budget", type=click.IntRange(0, MAX_LIMIT), help="Tokens that the workflow sees.")
@click.option("--hard-budget", is_flag=True, help="Reject agent() once the budget is spent.")
@click.option("--max-agents", type=click.IntRange(1), default=16, show_default=True,
              help="Agents at work at once.")  # fmt: skip
@click.option("--max-total-agents", type=click.IntRange(1), default=1000, show_default=True,
              help="agent() calls in the whole run; further ones reject.")  # fmt: skip
@click.option("--root", type=click.Path(path_type=Path, file_okay=False, exists=True),
              help="Folder that child workflows may lie in [default: FILE's].")  # fmt: skip
@click.option("--events", type=click.Path(path_type=Path), help="File for every event, as JSON Lines.")
@click.option("--dialect", type=click.Choice(DIALECTS), default="auto", show_default=True)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def run(file: Path, **given: Any) -> None:
    """Run the workflow in FILE and print its result as JSON."""
    from flowcage.host.api import run_workflow
    from flowcage.host.progress import listeners

    with ExitStack() as stack:
        try:
            source = inputs.source(file)
            args = inputs.args(given["args_json"], given["args_file"], given["args_pairs"])
            options = inputs.options(file, **given)
            listener = stack.enter_context(listeners(given["events"], quiet=given["quiet"]))
        except inputs.InputError as error:
            fail(exits.USAGE, str(error))
        outcome = to_the_end(
            lambda: run_workflow(
                source, source_name=str(file), args=args, options=replace(options, listener=listener)
            ),
            source,
        )
    if missing := missing_layers(outcome.report.isolation):
        note(f"warning: the run was isolated less than strictly, without {', '.join(missing)}")
    if not given["quiet"]:
        for diagnostic in outcome.report.diagnostics:
            note(f"note: {diagnostic['message']}")
        if (census := exits.explain_census(outcome.census)) is not None:
            note(f"note: {census}")
    say(inputs.to_json_line(outcome))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dialect", type=click.Choice(DIALECTS), default="auto", show_default=True)
def check(file: Path, dialect: Any) -> None:
    """Compile the workflow in FILE; print its dialect, meta and phases as JSON. No agent is asked."""
    from flowcage.host.api import check_workflow

    try:
        source = inputs.source(file)
    except inputs.InputError as error:
        fail(exits.USAGE, str(error))
    checked = to_the_end(lambda: check_workflow(source, source_name=str(file), dialect=dialect), source)
    meta = checked.meta
    phases = meta.get("phases") if isinstance(meta, dict) else None
    found = {"dialect": checked.dialect, "meta": meta, "phases": phases or []}
    say(json.dumps(found, indent=2))


@cli.command()
def types() -> None:
    """Print TypeScript declarations of what a workflow finds: globals, modules, meta."""
    from flowcage.schemas.loader import author_types

    say(author_types().removesuffix("\n"))


@cli.command()
@click.argument("name", required=False)
@click.option("--bundle", "form", flag_value="bundle", help="All schemas in one JSON Schema document.")
@click.option("--openrpc", "form", flag_value="openrpc", help="The child's methods as an OpenRPC document.")
@click.option("--typescript", "form", flag_value="typescript", help="TypeScript types of the messages.")
def schema(name: str | None, form: str | None) -> None:
    """Print the wire contract: the schema NAME, everything in one form, or the names there are."""
    from flowcage.schemas.published import UnknownSchema, published

    if name and form:
        fail(exits.USAGE, f"give either NAME or --{form}")
    try:
        say(published(name, form).removesuffix("\n"))
    except UnknownSchema as error:
        fail(exits.USAGE, str(error))


@cli.command()
def doctor() -> None:
    """Say what this machine offers: Python, the engine and how it was built, the isolation there is."""
    from flowcage.host.doctor import examine

    findings = to_the_end(examine)
    say("\n".join(f"{name + ':':<24} {value}" for name, value in findings))


def to_the_end(function: Callable[[], Awaitable[T]], source: str = "") -> T:
    """Run an async function; how it fails becomes a message and an exit status."""
    try:
        return run_to_end_or_signal(function)
    except RunError as error:
        fail(exits.status(error), exits.explain(error, source))
    except Terminated as ended:
        fail(128 + ended.number, f"ended by {ended}")


def say(text: str) -> None:
    """Write a result to stdout; a reader that has left, or a full disk, gets no traceback for it."""
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "stdout is closed")
        sys.stdout.buffer.write(text.encode() + b"\n")
        sys.stdout.buffer.flush()
    except OSError as error:
        fail(exits.OUR_FAULT, f"the result cannot be written: {error.strerror}")


def note(message: str) -> None:
    """Say something on stderr, if that is to be had."""
    with suppress(OSError):
        tell(safe(f"flowcage: {message}"))


def fail(status: int, message: str) -> NoReturn:
    """Say what went wrong on stderr, and leave with this exit status."""
    note(message)
    leave(status)


def main() -> None:
    """The ``flowcage`` command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored by whoever started us, it would reap for us
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        leave(exits.USAGE)
    except (KeyboardInterrupt, click.Abort):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        fail(exits.INTERRUPTED, "interrupted")
    except Exception as error:
        fail(exits.OUR_FAULT, f"internal error, please report it: {_innermost(error)!r}")
    leave(exits.DONE)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
