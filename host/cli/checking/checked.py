"""Checks files, each in a caged child of its own."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Any, NamedTuple

import trio

from flowcage.host.cli import exits
from flowcage.host.cli.checking.sources import Source
from flowcage.host.outcome.errors import RunError, WorkflowFailed
from flowcage.host.run.api import check_workflow
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


async def check_all(scripts: list[Source], dialect: Dialect) -> list[CheckedFile]:
    """Check files, some at once, and return what was found in their order.

    Raises:
        RunError: the machine, or flowcage, cannot check any.
    """
    checked: dict[int, CheckedFile] = {}
    limiter = trio.CapacityLimiter(min(os.cpu_count() or 1, _MOST_AT_ONCE))

    async def one(index: int, script: Source) -> None:
        async with limiter:
            checked[index] = await _check(script, dialect)

    try:
        async with trio.open_nursery() as nursery:
            for index, script in enumerate(scripts):
                nursery.start_soon(one, index, script)
    except* RunError as group:
        failed = group
    else:
        return [checked[index] for index in range(len(scripts))]
    raise _first(failed)


def _first(group: BaseExceptionGroup[RunError]) -> RunError:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, RunError)
    return first


async def _check(script: Source, dialect: Dialect) -> CheckedFile:
    name = PurePath(script.path).name
    try:
        told = await check_workflow(script.text, source_name=name, dialect=dialect, findings=True)
    except RunError as error:
        if exits.status(error) in (exits.OUR_FAULT, exits.USAGE):
            raise
        return CheckedFile(*script, None, None, (_refusal(error),))
    findings = () if isinstance(told.findings, Missing) else told.findings
    return CheckedFile(*script, told.dialect, told.meta, findings)


def _refusal(error: RunError) -> Finding:
    """What a child refuses a source for, as a finding; at its beginning where it names no place."""
    if not isinstance(error, WorkflowFailed):
        return Finding(error.verdict.value, "error", str(error), 1, 1)
    line, column = (error.data.get(name) for name in ("line", "column"))
    place = (line, column) if isinstance(line, int) and isinstance(column, int) else (1, 1)
    return Finding(error.kind, "error", str(error).removeprefix("SyntaxError: "), *place)
