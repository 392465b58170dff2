"""Hosts, children, zygotes and agents that are killed anywhere lose nothing, and nothing is paid twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..durable.places import ROOT
from .kills_lives import POINTS

DEADLINE_S = 3_000


def killed(folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill so often; how often at each place."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.resume.kills", folder, str(kills), str(seed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    counts = json.loads(done.stdout)
    assert counts["faults"] == []
    assert sum(counts["kills"].values()) >= kills
    found: dict[str, int] = counts["kills"]
    return found


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_runs_that_are_killed_anywhere_end_as_they_should(tmp_path: Path, seed: int) -> None:
    kills = killed(tmp_path, 100, seed)
    victims, points = zip(*[each.split() for each in kills], strict=True)

    assert {"host", "child"} <= set(victims)
    assert len(set(points)) > len(POINTS) * 3 / 4


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(10, 30))
def test_runs_that_are_killed_often_end_as_they_should(tmp_path: Path, seed: int) -> None:
    kills = killed(tmp_path, 500, seed)
    victims, points = zip(*[each.split() for each in kills], strict=True)

    assert set(victims) == {"host", "child", "zygote", "agent"}
    assert set(points) == set(POINTS)
