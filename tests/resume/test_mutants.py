"""Code that is broken in one of the ways that durable runs can be wrong is found by their tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..durable.places import ROOT

DEADLINE_S = 900
KILLS = "120"


@pytest.mark.parametrize(
    ("mutant", "found"),
    [
        ("begin_before_commit", "was asked, and the store does not know of it"),
        ("forget_order", ""),
        ("forget_what_is_heard", "was answered, and is asked again"),
        pytest.param("forget_grouping", "", marks=pytest.mark.thorough),
        pytest.param("forget_budget", "", marks=pytest.mark.thorough),
        pytest.param("forget_budget_at_the_start", "", marks=pytest.mark.thorough),
    ],
)
def test_the_kills_find_what_is_wrong(tmp_path: Path, mutant: str, found: str) -> None:
    words = [sys.executable, "-m", "tests.resume.mutants", str(tmp_path), mutant, KILLS]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert any(found in fault for fault in json.loads(done.stdout)["faults"])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("mutant", "tests"),
    [
        ("hold_nothing", "tests/resume/test_held.py"),
        ("drop_the_epoch", "tests/durable/test_store_contract.py"),
        ("drop_the_owner", "tests/durable/test_store_contract.py"),
    ],
)
def test_other_tests_find_what_is_wrong(mutant: str, tests: str) -> None:
    code = f"""import sys, pytest
from tests.resume.mutants import MUTANTS
MUTANTS[{mutant!r}]()
sys.exit(pytest.main(['-q', '-x', '-p', 'no:cacheprovider', {tests!r}]))"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout[-3_000:]
    assert " failed" in done.stdout
