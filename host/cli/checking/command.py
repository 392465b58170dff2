"""The command ``flowcage check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, FilePath, fail, note, say, to_the_end
from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.names.workflow_path import WorkflowPath
from flowcage.host.terminal.text import leave
from flowcage.protocol.messages import DIALECTS

if TYPE_CHECKING:
    from flowcage.host.cli.checking.checked import CheckedFile
    from flowcage.host.cli.checking.sources import Sources


@click.command(
    cls=Command,
    epilog="Exit status: 0 no errors, 1 errors (with --strict: warnings, too), 2 wrong usage, or a file that "
    "cannot be read, 125 flowcage's fault.",
)
@click.argument("paths", metavar="FILE|NAME|FOLDER...", type=WorkflowPath(or_folder=True), nargs=-1,
                required=True)  # fmt: skip
@click.option(
    "--json",
    "form",
    flag_value="json",
    help="Print dialect, meta, phases and findings of each file as JSON.",
)
@click.option("--sarif", "form", flag_value="sarif", help="Print a SARIF 2.1.0 log, for code scanners.")
@click.option("--types", is_flag=True, help="Have tsc, where it is installed, check the types as well.")
@click.option("--strict", is_flag=True, help="Warnings count as errors for the exit status.")
@click.option("--dialect", type=click.Choice(DIALECTS), default="auto", show_default=True,
              help="How to read the files.")  # fmt: skip
@click.option("--root", type=FilePath(file_okay=False, exists=True),
              help="Folder that imports may lead to [default: that of each FILE].")  # fmt: skip
def check(
    paths: tuple[Path, ...], form: str | None, types: bool, strict: bool, dialect: Any, root: Path | None
) -> None:
    """Say what is wrong with workflows (- is stdin) without running them: each finding with line and column.

    Of a folder, the files below it that export meta or call agent() are checked.
    """
    from flowcage.host.cli.checking.checked import check_all
    from flowcage.host.cli.checking.sources import sources

    try:
        found = sources(paths)
        tsc = _tsc(paths[0]) if types else None
    except InputError as error:
        fail(exits.USAGE, str(error))
    files = to_the_end(lambda: check_all(found.scripts, dialect, root))
    if tsc is not None:
        from flowcage.host.cli.checking.types import with_types

        files = with_types(tsc, found.scripts, files)
    _tell(files, found, form)
    if found.unread:  # the others have been checked all the same
        leave(exits.USAGE)
    counted = {"error", "warning"} if strict else {"error"}
    if any(finding.severity in counted for file in files for finding in file.findings):
        leave(exits.FAILED)


def _tsc(path: Path) -> str:
    from flowcage.host.cli.checking.types import find_tsc

    if (tsc := find_tsc(path)) is None:
        raise InputError("--types needs tsc: npm install typescript, here or with --global")
    return tsc


def _tell(files: list[CheckedFile], found: Sources, form: str | None) -> None:
    if form == "json":
        from flowcage.host.cli.checking.forms import as_json

        say(as_json(files))
    elif form == "sarif":
        from flowcage.host.cli.checking.sarif import as_sarif

        say(as_sarif(files))
    else:
        from flowcage.host.cli.checking.forms import as_text

        say(as_text(files))
    for message in found.unread:
        note(message)
    if found.left_out:
        note(f"note: left out {found.left_out} files that neither export meta nor call agent()")
