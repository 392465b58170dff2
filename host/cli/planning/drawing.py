"""``flowcage graph``: a drawing of a workflow, from its source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, FilePath, fail, note, require_known_ending, to_the_end
from flowcage.host.cli.input_files import InputError, InputFiles
from flowcage.host.cli.names.workflow_path import WorkflowPath
from flowcage.protocol.messages import DIALECTS

if TYPE_CHECKING:
    from flowcage.host.cli.arguments import Script

FORMATS = ("mermaid", "svg", "json")
_BY_SUFFIX = {".svg": "svg", ".json": "json"}


@click.command(cls=Command)
@click.argument("file", metavar="FILE|NAME", type=WorkflowPath())
@click.option("--format", "form", type=click.Choice(FORMATS),
              help="mermaid is text that many pages and editors draw; svg is a picture, light or dark as its "
              "reader likes; json is the outline.  [default: that of -o's suffix, or mermaid]")  # fmt: skip
@click.option("-o", "--output", type=FilePath(), help="File to write to, in the place of stdout.")
@click.option("--dialect", type=click.Choice(DIALECTS), default="auto", show_default=True,
              help="How to read FILE.")  # fmt: skip
@click.option("--root", type=FilePath(file_okay=False, exists=True),
              help="Folder that imports may lead to [default: FILE's].")  # fmt: skip
def graph(file: Path, form: str | None, output: Path | None, dialect: Any, root: Path | None) -> None:
    """Draw what the workflow in FILE (- is stdin) asks for: its phases, agents, loops and branches.

    The source is read and not run.
    """
    from flowcage.host.cli.arguments import script as read_script
    from flowcage.host.cli.planning.writing import put

    if form is None:
        require_known_ending(output, FORMATS)
    files = InputFiles({"FILE": file})
    try:
        script = read_script(files, file, root, dialect)
    except InputError as error:
        fail(exits.USAGE, str(error))
    if script.modules:
        note("note: what files ask for that the workflow imports is not drawn; run --plan tells of it")
    form = form or _BY_SUFFIX.get(output.suffix.lower() if output else "", "mermaid")
    put(files, output, _drawn(script, form, dialect))


def _drawn(script: Script, form: str, dialect: Any) -> str:
    from flowcage.host.graph.outline import BadOutline, read
    from flowcage.host.run.api import check_workflow
    from flowcage.protocol import strictjson

    checked = to_the_end(
        lambda: check_workflow(
            script.text, source_name=script.name, dialect=dialect, outline=True, modules=script.modules
        ),
        script,
    )
    try:
        outline = read(checked.outline)
    except BadOutline as wrong:
        fail(exits.OUR_FAULT, f"the child has told no outline: {wrong}")
    if form == "json":
        return strictjson.dumps(checked.outline) + "\n"
    from flowcage.host.graph.tree import tree_of

    if form == "svg":
        from flowcage.host.graph.svg import svg

        return svg(tree_of(outline), script.name)
    from flowcage.host.graph.mermaid import MAX_STEPS, mermaid

    return mermaid(tree_of(outline, MAX_STEPS))
