"""The command line: ``flowcage run``, ``flowcage check``, ``flowcage types``, ``flowcage doctor``.

stdout carries results and nothing else; everything for a person goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import click
import trio

from flowcage.host import exits, inputs
from flowcage.host.errors import RunError
from flowcage.host.terminal import safe
from flowcage.protocol.messages import DIALECTS
from flowcage.protocol.version import PACKAGE_VERSION


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
@click.option("--agent-timeout", type=click.FloatRange(0, min_open=True), default=600.0, show_default=True,
              help="Seconds one agent may take.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=3600.0, show_default=True,
              help="Seconds for the whole run.")  # fmt: skip
@click.option("--memory", type=click.IntRange(1, 1 << 20), default=128, show_default=True,
              help="MiB of JavaScript heap.")  # fmt: skip
@click.option("--budget", type=click.IntRange(0), help="Tokens that the workflow sees as its budget.")
@click.option("--max-agents", type=click.IntRange(1), default=16, show_default=True,
              help="Agents at work at once.")  # fmt: skip
@click.option("--root", type=click.Path(path_type=Path, file_okay=False, exists=True),
              help="Folder that child workflows may lie in [default: FILE's].")  # fmt: skip
@click.option("--events", type=click.Path(path_type=Path), help="File for every event, as JSON Lines.")
@click.option("--dialect", type=click.Choice(DIALECTS), default="auto", show_default=True)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def run(file: Path, **given: Any) -> None:
    """Run the workflow in FILE and print its result as JSON."""
    from flowcage.host.api import run_workflow_blocking
    from flowcage.host.progress import listeners

    with ExitStack() as stack:
        try:
            source = inputs.source(file)
            args = inputs.args(given["args_json"], given["args_file"], given["args_pairs"])
            listener = stack.enter_context(listeners(given["events"], quiet=given["quiet"]))
            options = inputs.options(file, listener, **given)
        except inputs.InputError as error:
            fail(exits.USAGE, str(error))
        try:
            outcome = run_workflow_blocking(source, source_name=str(file), args=args, options=options)
        except RunError as error:
            stack.close()
            fail(exits.status(error), exits.explain(error, source))
    if not given["quiet"]:
        for diagnostic in outcome.report.diagnostics:
            click.echo(safe(f"flowcage: note: {diagnostic['message']}"), err=True)
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
    try:
        checked = trio.run(lambda: check_workflow(source, source_name=str(file), dialect=dialect))
    except RunError as error:
        fail(exits.status(error), exits.explain(error, source))
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
def doctor() -> None:
    """Say what this machine offers: Python, the engine and how it was built, the isolation there is."""
    from flowcage.host.doctor import examine

    try:
        findings = trio.run(examine)
    except RunError as error:
        fail(exits.status(error), str(error))
    say("\n".join(f"{name + ':':<24} {value}" for name, value in findings))


def say(text: str) -> None:
    """Write a result to stdout; a reader that has left gets no traceback for it."""
    try:
        sys.stdout.buffer.write(text.encode() + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # What is buffered is flushed again on the way out, and must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exits.OUR_FAULT)


def fail(status: int, message: str) -> NoReturn:
    """Say what went wrong on stderr, and leave with this exit status."""
    click.echo(f"flowcage: {safe(message)}", err=True)
    sys.exit(status)


def main() -> None:
    """The ``flowcage`` script."""
    try:
        cli(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(exits.USAGE)
    except (KeyboardInterrupt, click.Abort):
        fail(exits.INTERRUPTED, "interrupted")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
