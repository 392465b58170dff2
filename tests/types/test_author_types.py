"""workflow.d.ts under the real TypeScript compiler, in strict mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import programs
from .report import Report


@pytest.mark.parametrize("example", programs.EXAMPLES, ids=lambda path: path.stem)
def test_a_shipped_example_compiles(report: Report, example: Path) -> None:
    assert report.of(example.name) == []


@pytest.mark.parametrize("example", programs.EXAMPLES, ids=lambda path: path.stem)
def test_the_meta_of_a_shipped_example_is_a_workflow_meta(report: Report, example: Path) -> None:
    assert report.of(programs.meta_of(example)) == []


def test_everything_an_author_may_write_compiles_to_the_types_told(report: Report) -> None:
    assert report.of("accepted.ts") == []


@pytest.mark.parametrize("name", programs.REFUSED)
def test_each_expected_error_is_one(report: Report, name: str) -> None:
    assert report.of(name) == []


@pytest.mark.parametrize("name", programs.REFUSED)
def test_each_expected_error_is_the_one_expected_and_no_other_is_there(report: Report, name: str) -> None:
    found = [(one.line, one.code) for one in report.of(programs.bare(name))]
    assert sorted(found) == programs.expected(name)


def test_the_declarations_and_the_project_around_them_have_no_errors(report: Report) -> None:
    programs_of_errors = {programs.bare(name) for name in programs.REFUSED}
    assert [one for one in report.diagnostics if one.file not in programs_of_errors] == []
