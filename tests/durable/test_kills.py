"""A host that is killed at any point of a commit loses nothing that was durable, and leaves no half."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .places import ROOT

DEADLINE_S = 3_000


def killed(folder: Path, lives: int, seed: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.durable.kills", str(folder / "runs.db"), str(lives), str(seed)],
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


def test_hosts_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    counts = killed(tmp_path, 200, 7)

    assert counts["kills"] == 200
    assert counts["durable"] > 500
    assert counts["entries"] > counts["durable"]


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(10))
def test_hosts_that_are_killed_often_lose_nothing(tmp_path: Path, seed: int) -> None:
    assert killed(tmp_path, 1_000, seed)["kills"] == 1_000
