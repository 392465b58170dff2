"""The tables of checks in docs/conformance.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from flowcage.conformance.check import Check
from flowcage.conformance.command import KINDS
from tools.pages import page


def _table(checks: Sequence[Check[Any]]) -> Iterator[str]:
    yield from ("| id | level | the contract says | section |", "|---|---|---|---|")
    for check in checks:
        yield f"| `{check.id}` | {check.level} | {check.says} | {check.section} |"


SECTIONS: dict[str, Callable[[], Iterable[str]]] = {
    f"checks of a {name}": partial(_table, kind.checks) for name, kind in KINDS.items()
}


def embed(text: str) -> str:
    """The page with its tables from the registries of checks."""
    return page.embed(text, SECTIONS)
