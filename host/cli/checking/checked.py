"""Checks files, each in a caged child of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import trio

from flowcage.host.cli import exits
from flowcage.host.cli.checking.sources import Source
from flowcage.host.outcome.errors import CannotSend, RunError, WorkflowFailed
from flowcage.host.run.api import check_workflow
from flowcage.host.workflows.beneath import relative_to
from flowcage.host.workflows.siblings import ImportRefused, sibling_modules
from flowcage.protocol.errors import LIMIT
from flowcage.protocol.messages import Dialect, Finding, Missing

_MOST_AT_ONCE = 8


class CheckedFile(NamedTuple):
    """One file and what was found; dialect and meta are None where it does not compile."""

    path: str
    text: str
    dialect: str | None
    meta: Any
    findings: tuple[Finding, ...]

    @property
    def phases(self) -> list[Any]:
        """Those of `meta`."""
        phases = self.meta.get("phases") if isinstance(self.meta, dict) else None
        return phases or []


async def check_all(scripts: list[Source], dialect: Dialect, root: Path | None = None) -> list[CheckedFile]:
    """Check files, and return what was found in their order, and then in files that they import.

    Args:
        scripts, dialect, root: as of `check_each`.

    Raises:
        RunError: as `check_each`.
    """
    return _each_once(await check_each(scripts, dialect, root))


async def check_each(
    scripts: list[Source], dialect: Dialect, root: Path | None = None
) -> list[list[CheckedFile]]:
    """Check files, some at once: for each, in their order, what was found in it and in those that it imports.

    Args:
        scripts: the files.
        dialect: of all of them.
        root: that imports may lead to; by default the folder of each file.

    Raises:
        RunError: the machine, or flowcage, cannot check any.
    """
    checked: dict[int, list[CheckedFile]] = {}
    limiter = trio.CapacityLimiter(min(os.cpu_count() or 1, _MOST_AT_ONCE))

    async def one(index: int, script: Source) -> None:
        async with limiter:
            checked[index] = await _check(script, dialect, root)

    try:
        async with trio.open_nursery() as nursery:
            for index, script in enumerate(scripts):
                nursery.start_soon(one, index, script)
    except* RunError as group:
        failed = group
    else:
        return [checked[index] for index in range(len(scripts))]
    raise _first(failed)


def _each_once(checked: list[list[CheckedFile]]) -> list[CheckedFile]:
    """The files, each once; one that is no workflow by itself may be a module of one."""
    modules = {os.path.realpath(each.path): each for _, *others in checked for each in others}
    found: dict[str, CheckedFile] = {}
    for file, *_ in checked:
        where = os.path.realpath(file.path)
        found[where] = modules.get(where, file) if file.dialect is None else file
    return [*found.values(), *(each for where, each in modules.items() if where not in found)]


def _first(group: BaseExceptionGroup[RunError]) -> RunError:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, RunError)
    return first


async def _check(script: Source, dialect: Dialect, root: Path | None) -> list[CheckedFile]:
    """The file, and those that it imports."""
    name, folder = _named(PurePath(script.path), root)
    modules: Mapping[str, str] = {}
    try:
        modules = await sibling_modules(script.text, name, folder, dialect=dialect)
        told = await check_workflow(
            script.text, source_name=name, dialect=dialect, findings=True, modules=modules
        )
    except ImportRefused as refused:
        place = (1, 1) if refused.line is None or refused.column is None else (refused.line, refused.column)
        found = Finding("import", "error", refused.why, *place, source_name=refused.importer)
        other = {} if refused.importer == name else {refused.importer: ""}  # read, and not kept
        return _by_file(script, (name, folder), (None, None, [found]), other)
    except RunError as error:
        if exits.status(error) == exits.OUR_FAULT:
            raise
        return _by_file(script, (name, folder), (None, None, [_refusal(error)]), modules)
    findings = () if isinstance(told.findings, Missing) else told.findings
    return _by_file(script, (name, folder), (told.dialect, told.meta, findings), modules)


def _named(path: PurePath, root: Path | None) -> tuple[str, Path]:
    """The name of a file, and the folder that this and the names of its imports are below."""
    below = None if root is None else relative_to(root, os.path.abspath(path))
    return (path.name, Path(path.parent)) if root is None or below is None else (below, root)


def _by_file(
    script: Source,
    place: tuple[str, Path],
    told: tuple[str | None, Any, Iterable[Finding]],
    modules: Mapping[str, str],
) -> list[CheckedFile]:
    """Findings at the file that each is in, by its name as far as that is known."""
    own, folder = place
    dialect, meta, findings = told
    found: dict[str, list[Finding]] = {own: []}
    for each in findings:
        name = each.source_name if each.source_name in modules else own
        found.setdefault(name or own, []).append(each._replace(source_name=None))
    files = [CheckedFile(*script, dialect, meta, tuple(found.pop(own)))]
    for name, text in modules.items():
        files.append(CheckedFile(str(folder / name), text, "module", None, tuple(found.get(name, ()))))
    return files


def _refusal(error: RunError) -> Finding:
    """What a child refuses a source for, as a finding; at its beginning where it names no place."""
    if isinstance(error, CannotSend):
        return Finding(LIMIT, "error", str(error), 1, 1)
    if not isinstance(error, WorkflowFailed):
        return Finding(error.verdict.value, "error", str(error), 1, 1)
    line, column, name = (error.data.get(each) for each in ("line", "column", "sourceName"))
    place = (line, column) if isinstance(line, int) and isinstance(column, int) else (1, 1)
    message = str(error).removeprefix("SyntaxError: ")
    return Finding(error.kind, "error", message, *place, source_name=name if isinstance(name, str) else None)
