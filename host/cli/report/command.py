"""``flowcage report``."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import Command, FilePath, fail, note, require_known_ending, say
from flowcage.host.cli.names import completion
from flowcage.host.cli.report.formats import format_of, name_of
from flowcage.host.cli.report.writing import OutputError, is_same_file, put
from flowcage.host.cli.runs import access
from flowcage.host.durable.address import StorePlace
from flowcage.host.page.formats.writing import FORMATS, written

if TYPE_CHECKING:
    from flowcage.host.durable.store import Store

_Document: TypeAlias = dict[str, Any]
_STDOUT = Path("-")


@click.command(cls=Command)
@click.argument("run", metavar="RUN|EVENTS.jsonl", shell_complete=completion.runs_or_files)
@click.option("-o", "--output", type=FilePath(allow_dash=True),
              help="File to write, which is replaced; - is stdout.  [default: stdout, or on a terminal "
              "flowcage-RUN.html or the like]")  # fmt: skip
@click.option("--format", "form", type=click.Choice(tuple(FORMATS)),
              help="What to write.  [default: by the ending of the file, or html]")  # fmt: skip
@click.option("--full", is_flag=True, help="Leave nothing out and cut nothing: prompts, answers, lines.")
@click.option("--open", "opens", is_flag=True, help="Show it in a browser.")
@access.STORE
def report(
    run: str, output: Path | None, form: str | None, full: bool, opens: bool, store: StorePlace | None
) -> None:
    """Write RUN as one file: a page that asks the network for nothing, Markdown, JSON, or a trace.

    RUN is an id, the beginning of one, or @last; a run that still goes on is told as it stands. It may also
    be a file of flowcage run --events, which has no source, no args and no result.

    The file holds prompts and answers, so nobody else can read it. Its path is printed.
    """
    if form is None:
        require_known_ending(output, tuple(FORMATS))
    chosen = form or format_of(output)
    if opens and (chosen != "html" or output == _STDOUT):
        fail(exits.USAGE, "--open shows a page: leave out --format and -o -")
    source = Path(run)
    is_file = os.path.isfile(source)
    if not is_file and _is_path(run):
        fail(exits.USAGE, f"there is no file {run}, and no run has such an id")
    read_from = source if is_file else access.place_of(store)
    if output not in (None, _STDOUT) and isinstance(read_from, Path) and is_same_file(output, read_from):
        fail(exits.USAGE, f"-o {output} is what the report is made from; it would be overwritten")
    document = _of_file(source, full=full) if is_file else _of_run(store, run, full=full)
    text = written(document, chosen, full=full)
    target = _target(output, chosen, document, opens=opens)
    if target is None:
        access.hand_over(text.removesuffix("\n"))
        return
    _write(target, text)
    if opens:
        _open(target)


def _is_path(word: str) -> bool:
    """Whether a word is no id, nor the beginning of one, but the name of a file."""
    return os.sep in word or word.endswith((".jsonl", ".ndjson"))


def _target(output: Path | None, form: str, document: _Document, *, opens: bool) -> Path | None:
    """The file to write; None for stdout."""
    import sys

    if output == _STDOUT:
        return None
    if output is not None:
        return output
    if not opens and sys.stdout is not None and not sys.stdout.isatty():
        return None
    return Path(name_of(document["run"]["id"], form))


def _write(target: Path, text: str) -> None:
    try:
        put(target, text)
    except OutputError as error:
        fail(exits.USAGE, str(error))
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO)
        status = exits.OUR_FAULT if is_full else exits.USAGE
        fail(status, f"-o {target}: cannot be written: {error.strerror}")
    say(str(target))


def _open(target: Path) -> None:
    import webbrowser

    if not webbrowser.open(target.absolute().as_uri()):
        note(f"note: no browser was found; open {target} in one")


# ---- what is reported ------------------------------------------------------------------------


def _of_run(store: StorePlace | None, run: str, *, full: bool) -> _Document:
    from flowcage.host.page import sources
    from flowcage.host.page.cutting import caps_of
    from flowcage.host.page.fold import PageFold

    async def look(opened: Store) -> PageFold:
        record = await opened.load(await opened.find(run))
        about, places = await sources.Sources().about(record), await sources.places_of(record)
        return PageFold(record, about=about, places=places, caps=caps_of(full=full))

    document = access.read(store, look).whole()
    _tell_of_state(document["run"])
    return document


def _tell_of_state(run: dict[str, Any]) -> None:
    if run["state"] == "abandoned":
        note(f"run {run['id']} was interrupted; go on with: flowcage resume {run['id']}")
    elif run["state"] not in ("ended", "diverged"):
        note(f"run {run['id']} is {run['state']}: the report tells how it stands")


def _of_file(path: Path, *, full: bool) -> _Document:
    from flowcage.host.page.cutting import caps_of
    from flowcage.host.page.recorded.file import lines_of, read
    from flowcage.host.page.recorded.reading import NoEvent

    try:
        with path.open("rb") as lines:
            found = read(lines_of(lines), caps_of(full=full))
    except OSError as error:
        fail(exits.USAGE, f"{path}: cannot be read: {error.strerror}")
    except NoEvent as error:
        fail(exits.USAGE, f"{path} is no file of flowcage run --events: {error}")
    if found.unread:
        note(f"warning: {path}: lines that are left out: {found.unread}; {found.why}")
    if found.document["run"]["state"] != "ended":
        note(f"note: {path} has no end of the run: it goes on, or its process was killed")
    return found.document
