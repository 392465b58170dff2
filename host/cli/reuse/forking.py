"""``flowcage fork``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, FilePath, fail
from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.names.workflow_path import WorkflowPath
from flowcage.host.cli.reuse.options import guiding
from flowcage.host.cli.runs import access, detaching
from flowcage.host.cli.showing import showing


@click.command(cls=Command)
@access.RUN
@click.argument("script", type=WorkflowPath(), required=False)
@click.option("--at", type=click.IntRange(1), metavar="TURN",
              help="Reuse only what RUN was told before this turn; turns are counted from 1.")  # fmt: skip
@click.option("--from", "from_call", metavar="CALL",
              help="Reuse only what was answered when this call was made.")  # fmt: skip
@click.option("--answer", "answers", metavar="ID=JSON", multiple=True,
              help="Another answer of one call, as JSON, @FILE or - (stdin); may be repeated.")  # fmt: skip
@click.option("--reuse-programs", is_flag=True,
              help="Reuse what SW.sandbox.exec() had answered, too; what programs did is not done "
              "again.")  # fmt: skip
@guiding
@access.STORE
@click.option("--events", type=FilePath(), help="File for every event, as JSON Lines.")
@detaching.options
@showing
def fork(run: str, script: Path | None, **given: Any) -> None:
    """Run the workflow of RUN again as a new run, or SCRIPT, which asks only what RUN was not answered.

    RUN is an id, the beginning of one, or @last. Calls that failed are asked again.
    """
    from flowcage.host.cli.reuse.guided import Asked, answers_of, carry_out, files_of
    from flowcage.host.durable.reuse.terms import Terms

    detaching.start_if(given)
    try:
        files = files_of(script, given)
        answers = answers_of(files, given["answers"])
    except InputError as error:
        fail(exits.USAGE, str(error))
    terms = Terms(given["at"], given["from_call"], answers, given["reuse_programs"])
    carry_out(Asked(run, script, terms, given, files), access.looked_up(given["store"], run))
