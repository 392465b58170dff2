"""How a run can be gone on with, and what that reuses and asks, as far as its history tells it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flowcage.host.durable.records import NewWorkflow, RunRecord, Summary
from flowcage.host.resume.refusals import NotResumable, require_resumable
from flowcage.host.workflows.beneath import OutsideRoot
from flowcage.host.workflows.source_files import SourceFileError, text_below

_TEXT = 500  # characters of what a run was begun with
_SOURCE_BYTES = 16 * 1024 * 1024


class Way(NamedTuple):
    """One way to go on.

    Attributes:
        name: by which a page asks for it.
        title: for a person.
        words: options of `flowcage resume`.
        is_new: whether it is a new run, which reuses answers.
        script: file of an edited source; "" where the run keeps its own.
    """

    name: str
    title: str
    words: tuple[str, ...] = ()
    is_new: bool = False
    script: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the answer has it."""
        return {"name": self.name, "title": self.title, "isNew": self.is_new, "script": self.script}


GO_ON = Way("resume", "Go on where it was")
ALL_THE_SAME = Way("even-if-cancelled", "Go on, although it was cancelled", ("--even-if-cancelled",))
RETRY = Way("retry-failed", "Ask again what had failed, in a new run", ("--retry-failed",), True)
REUSE = Way("reuse", "Go on in a new run with what was answered", ("--reuse",), True)
_EDITED = "Run the file as it is now, with what was answered, in a new run"


def ways_of(record: RunRecord) -> list[Way]:
    """Those that are open for a run; it may have none.

    Raises:
        NotResumable: it goes on, or a program began it that has to go on with it.
    """
    found = ways_of_kept(record.summary)
    if record.summary.pool is not None:  # workers go on with it, who have no file of it
        return found
    if _settings(record).get("v") != 1:
        raise NotResumable("the run was begun by a program and not by flowcage run; that has to resume it")
    return [*found, *_edited(record)]


def ways_of_kept(summary: Summary) -> list[Way]:
    """Those that are open to any host of the store; it may be none. Raises `NotResumable`: it goes on."""
    if summary.state == "running" and not summary.is_abandoned:
        raise NotResumable(f"run {summary.run_id} goes on already, in another process")
    return [*_strict(summary), *_forks(summary)]


def _strict(summary: Summary) -> Iterator[Way]:
    for way, even_if_cancelled in ((GO_ON, False), (ALL_THE_SAME, True)):
        try:
            require_resumable(summary, None, even_if_cancelled)
        except NotResumable:
            continue
        yield way
        return


def _forks(summary: Summary) -> Iterator[Way]:
    if summary.state == "diverged":
        yield REUSE
    elif summary.state == "ended":
        yield RETRY


def _edited(record: RunRecord) -> Iterator[Way]:
    """Where the file that the run was begun with has changed since."""
    path = _settings(record).get("file")
    if not isinstance(path, str) or not os.path.isabs(path) or path.endswith("/-"):
        return
    try:
        file = Path(path)
        if not file.is_file() or file.stat().st_size > _SOURCE_BYTES:
            return
        text = file.read_bytes().decode()
    except (OSError, ValueError):
        return
    workflow = record.workflows[""]
    if text != workflow.source or _has_other_modules(record, workflow):
        yield Way("edited", _EDITED, (), True, path)


def _has_other_modules(record: RunRecord, workflow: NewWorkflow) -> bool:
    """Whether a file that it imports has another text now, or none."""
    root = _settings(record).get("root")
    if not isinstance(root, str) or not os.path.isabs(root):
        return False
    for name, kept in workflow.modules.items():
        try:
            if text_below(Path(root), name, name) != kept:
                return True
        except (OSError, OutsideRoot, SourceFileError):
            return True
    return False


def _settings(record: RunRecord) -> dict[str, Any]:
    return record.settings if isinstance(record.settings, dict) else {}


def begun_with(record: RunRecord) -> dict[str, str]:
    """Who would be asked, and where: a store may come from somebody else, so a person sees it first."""
    settings = _settings(record)
    given = settings.get("given")
    found = {name: settings.get(name) for name in ("cwd", "file")}
    if isinstance(given, dict):
        found |= {name: given.get(name) for name in ("agent", "model", "child_command")}
    return {name: value[:_TEXT] for name, value in found.items() if isinstance(value, str) and value}
