"""What the checks quote from the pages is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowcage.conformance.command import KINDS

DOCS = Path(__file__).parents[2] / "docs"
SECTIONS = sorted({check.section for kind in KINDS.values() for check in kind.checks})


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_that_a_check_quotes_is_there(section: str) -> None:
    page, heading = section.split(": ")
    path = DOCS / page
    if not path.exists():
        pytest.skip(f"{page} is not written yet")
    assert re.search(rf"^#+ {re.escape(heading)}$", path.read_text(encoding="utf-8"), re.MULTILINE)
