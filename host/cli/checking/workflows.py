"""``flowcage workflows``: the workflows that have a name here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from flowcage.host.cli.console import Command, to_the_end
from flowcage.host.cli.names.places import hits, names, places
from flowcage.host.cli.names.workflow_path import wrong_with
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.looking.columns import aligned, one_line
from flowcage.host.outcome.errors import RunError
from flowcage.host.terminal.text import cut, message, tell
from flowcage.host.workflows.names import MAX_NAME_CHARACTERS

if TYPE_CHECKING:
    from flowcage.host.cli.checking.checked import CheckedFile
    from flowcage.host.cli.checking.sources import Source

# Each is read in a cage of its own.
_MOST = 200
_MOST_OF_DESCRIPTION = 500
_MOST_OF_LINE = 600


@click.command(cls=Command)
@access.JSON
def workflows(as_json: bool) -> None:
    """List the workflows that flowcage run NAME finds here, with what they say that they do.

    They are looked for in this folder, in workflows, .flowcage/workflows and .claude/workflows, here and
    then in the folders above that belong to the same repository, and at last in those of the user.
    """
    known = names()
    found = _described([_listed(name) for name in known[:_MOST]])
    told = {
        "workflows": [each._asdict() for each in found],
        "searched": [place.path for place in places()],
        "leftOut": max(0, len(known) - _MOST),
    }
    access.say_all(list(_lines(found, told)), told, as_json=as_json)


class Listed(NamedTuple):
    """A name.

    Attributes:
        name: as ``flowcage run`` takes it.
        path: of its file; of the first, where the name is ambiguous.
        description: what its `meta` says; None where that says nothing, or cannot be read.
        problem: why it cannot be run by this name; None where it can.
        shadowed: files of the same name in folders that come later.
    """

    name: str
    path: str
    description: str | None
    problem: str | None
    shadowed: list[str]


def _listed(name: str) -> Listed:
    first, *later = hits(name) or [[]]
    path = first[0].path if first else name
    gone = None if first else f"{name}: the file is gone, or is a link that leads nowhere"
    shadowed = [hit.path for each in later for hit in each]
    return Listed(name, path, None, gone or wrong_with(name, first), shadowed)


def _described(found: list[Listed]) -> list[Listed]:
    """The same with what the files say, which is read in cages; without files that are no workflows."""
    from flowcage.host.cli.checking.sources import Source, is_workflow, sources
    from flowcage.host.cli.input_files import InputError

    scripts, told = [], {each.path: each for each in found}
    for each in found:
        try:
            text = "" if each.problem else sources((Path(each.path),)).scripts[0].text
        except InputError as error:
            told[each.path] = each._replace(problem=str(error))
            continue
        if not each.problem and "/" not in each.path and not is_workflow(text):
            del told[each.path]  # scripts of all kinds lie in a working folder
        elif not each.problem:
            scripts.append(Source(each.path, text))
    checked = to_the_end(partial(_checked, scripts)) if scripts else []
    imported = {os.path.realpath(each.path) for _, *others in checked for each in others}
    for file, *_ in checked:
        if file.dialect is None and os.path.realpath(file.path) in imported:
            del told[file.path]  # a part of another workflow, and none by itself
        else:
            told[file.path] = _told(told[file.path], file)
    return list(told.values())


async def _checked(scripts: list[Source]) -> list[list[CheckedFile]]:
    """What is found in these; nothing where this machine, or flowcage, can check none, which stderr tells."""
    from flowcage.host.cli.checking.checked import check_each

    try:
        return await check_each(scripts, "auto")
    except RunError as error:
        tell(message(f"flowcage: no file can be read in a cage here, so only names are told: {error}"))
        return []


def _told(listed: Listed, checked: CheckedFile) -> Listed:
    if checked.dialect is None:
        first = checked.findings[0]
        return listed._replace(problem=f"{listed.path}:{first.line}:{first.column}: {first.message}")
    description = checked.meta.get("description") if isinstance(checked.meta, dict) else None
    if not isinstance(description, str):
        return listed
    return listed._replace(description=cut(" ".join(description.split()), _MOST_OF_DESCRIPTION))


def _lines(found: list[Listed], told: dict[str, Any]) -> Iterator[str]:
    if not found:
        yield f"no workflow has a name here: looked in {', '.join(told['searched'])}"
        return
    yield from aligned([row for each in found for row in _rows(each)])
    if told["leftOut"]:
        yield f"and {told['leftOut']} more"


def _rows(listed: Listed) -> Iterator[tuple[str, str]]:
    yield one_line(listed.name, MAX_NAME_CHARACTERS), one_line(listed.path, _MOST_OF_LINE)
    if listed.description:
        yield "", one_line(listed.description, _MOST_OF_LINE)
    if listed.problem:
        yield "", one_line(f"problem: {listed.problem}", _MOST_OF_LINE)
    yield from (("", one_line(f"hides {path}", _MOST_OF_LINE)) for path in listed.shadowed)
