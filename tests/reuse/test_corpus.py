"""What is reused after an edit, on workflows in the manner of real ones; bench/reuse/measure.py measures."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# Per cent of all answers, on public workflows: less is a step back.
GOALS = {
    "none": 100.0,
    "one call had failed": 92.8,
    "a call put first": 96.0,
    "labels renamed": 100.0,
    "one prompt changed": 42.8,
}


@cache
def measured() -> Any:
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "reuse" / "measure.py", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_edit_is_measured_on_many_workflows() -> None:
    assert measured()["shares"].keys() == GOALS.keys()
    workflows = list(Path(__file__).parent.glob("workflows/*.js"))
    assert len(workflows) > 30
    assert {len(rows) for rows in measured()["rows"].values()} == {len(workflows)}


@pytest.mark.parametrize("edit", GOALS)
def test_as_much_is_reused_as_on_public_workflows(edit: str) -> None:
    assert measured()["shares"][edit] >= GOALS[edit]


@pytest.mark.parametrize("edit", GOALS)
def test_whatever_has_an_old_answer_is_not_asked(edit: str) -> None:
    lost = [row for row in measured()["rows"][edit] if row["reused"] != row["possible"]]
    assert lost == []


def test_an_unchanged_workflow_asks_nobody_in_whatever_order_the_answers_would_come() -> None:
    assert {row["asked"] for row in measured()["rows"]["none"]} == {0}
