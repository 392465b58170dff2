"""Workers and server are killed at random: each run ends once, and no answered call is asked again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.durable.places import ROOT

from .servers import is_installed

pytestmark = pytest.mark.skipif(not is_installed(), reason="Postgres is not installed, or refuses root")


def storm(folder: Path, runs: int, seconds: int, seed: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster.storm", str(folder), str(runs), str(seconds), str(seed)],
        cwd=ROOT, capture_output=True, text=True, timeout=3_000, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


def test_a_cluster_in_a_storm_ends_each_run_once(tmp_path: Path) -> None:
    counts = storm(tmp_path, 30, 10, 3)

    assert counts["verified"] == 30
    assert counts["answers"] == sum(6 + number % 3 - 1 for number in range(30))


@pytest.mark.thorough
def test_a_cluster_in_a_long_storm_ends_each_run_once(tmp_path: Path) -> None:
    counts = storm(tmp_path, 2_000, 600, 7)

    assert counts["verified"] == 2_000
    assert counts["killed"] > 50
