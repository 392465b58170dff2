"""``python -m tests.conformance.table`` writes the tables of checks into docs/conformance.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowcage.host.conformance.check import Check
from flowcage.host.conformance.on_child import CHILD_CHECKS
from flowcage.host.conformance.on_host import HOST_CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
TABLES: dict[str, Sequence[Check[Any]]] = {
    "checks of a child": CHILD_CHECKS.checks,
    "checks of a host": HOST_CHECKS.checks,
}


def with_tables(text: str) -> str:
    """The page with its tables as the registry has them."""
    for marker, checks in TABLES.items():
        between = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- end -->)", re.DOTALL)
        table = _table(checks).replace("\\", r"\\")
        text = between.sub(rf"\1\n{table}\n\2", text)
    return text


def _table(checks: Sequence[Check[Any]]) -> str:
    rows = ["| id | level | the contract says | section |", "|---|---|---|---|"]
    rows += [f"| `{check.id}` | {check.level} | {check.says} | {check.section} |" for check in checks]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
