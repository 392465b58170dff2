"""The tables of checks in docs/conformance.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from flowcage.conformance.check import Check
from flowcage.conformance.on_child import CHILD_CHECKS
from flowcage.conformance.on_host import HOST_CHECKS
from tools.pages import page


def _table(checks: Sequence[Check[Any]]) -> Iterator[str]:
    yield from ("| id | level | the contract says | section |", "|---|---|---|---|")
    for check in checks:
        yield f"| `{check.id}` | {check.level} | {check.says} | {check.section} |"


SECTIONS: dict[str, Callable[[], Iterable[str]]] = {
    "checks of a child": partial(_table, CHILD_CHECKS.checks),
    "checks of a host": partial(_table, HOST_CHECKS.checks),
}


def embed(text: str) -> str:
    """The page with its tables from the registries of checks."""
    return page.embed(text, SECTIONS)
