"""docs/conformance.md says what the kit has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowcage.host.conformance.on_child import CHILD_CHECKS
from flowcage.host.conformance.on_host import HOST_CHECKS

from .table import PAGE, TABLES, with_tables

SECTIONS = sorted(
    {check.section for check in CHILD_CHECKS.checks} | {check.section for check in HOST_CHECKS.checks}
)


def test_the_tables_are_those_of_the_registry() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"<!-- {marker} -->" in text for marker in TABLES)
    assert with_tables(text) == text


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_that_a_check_quotes_is_there(section: str) -> None:
    page, heading = section.split(": ")
    path = Path(PAGE.parent, page)
    if not path.exists():
        pytest.skip(f"{page} is not written yet")
    assert re.search(rf"^#+ {re.escape(heading)}$", path.read_text(encoding="utf-8"), re.MULTILINE)
