"""The numbers in docs/security.md are those of the attacks that the tests carry out."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import report
from .catalogue import ATTACKS

_SECURITY = Path(__file__).parents[2] / "docs" / "security.md"


def test_the_documentation_counts_the_attacks_that_are_tried() -> None:
    text = _SECURITY.read_text()
    assert report.embed(text) == text, "run: python -m tests.escape.report docs/security.md"


def test_the_section_counts_every_attack() -> None:
    total = report.section().splitlines()[-3]
    assert total.startswith(f"| **all** | {len(ATTACKS)} | ")


def test_a_section_is_replaced_where_its_markers_are() -> None:
    outdated = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.embed(outdated) == f"before\n{report.section()}\nafter\n"


def test_a_document_without_markers_is_not_touched() -> None:
    with pytest.raises(ValueError, match="no section"):
        report.embed("before and after")
