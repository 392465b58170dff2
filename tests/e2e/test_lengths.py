"""Lengths of time in options of commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .command import flowcage


@pytest.mark.parametrize(
    ("words", "name", "number"),
    [
        (("--timeout", "1h30m"), "timeoutSeconds", 5400),
        (("--timeout", "90"), "timeoutSeconds", 90),
        (("--limit", "cpuSeconds=2m"), "cpuSeconds", 120),
        (("--limit", "maxSleepMs=1h"), "maxSleepMs", 3_600_000),
        (("--limit", "step_timeout_ms=1.5s"), "stepTimeoutMs", 1500),
        (("--limit", "timeoutSeconds=500ms"), "timeoutSeconds", 0.5),
    ],
)
def test_a_run_has_the_limit(tmp_path: Path, words: tuple[str, ...], name: str, number: float) -> None:
    (tmp_path / "w.js").write_text("return 1")
    flowcage("run", "w.js", "--no-store", "--events", "e", *words, cwd=tmp_path)
    started = json.loads((tmp_path / "e").read_text().splitlines()[0])
    assert started["limits"][name] == number


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("run", "w.js", "--timeout", "soon"),
            "'--timeout': 'soon' is no length of time; write seconds, or 90s",
        ),
        (("run", "w.js", "--agent-timeout", "0s"), "'--agent-timeout': 0.0 is not in the range"),
        (("run", "w.js", "--limit", "cpuSeconds=1s500ms"), "cpuSeconds must be a whole number"),
        (("run", "w.js", "--limit", "memoryBytes=2m"), "--limit memoryBytes=2m: expected NAME=NUMBER"),
        (
            ("run", "w.js", "--expires-in", "30"),
            "'30' is no length of time; write numbers with s, m, h, d or w",
        ),
        (("replay", "x", "--timeout", "1h1h"), "'1h1h' is no length of time"),
        (("serve", "--socket", "s", "--grace", "-1s"), "is no length of time"),
    ],
)
def test_what_is_none_is_told(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    (tmp_path / "w.js").write_text("return 1")
    done = flowcage(*words, cwd=tmp_path)
    assert (done.status, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.split())


def test_a_run_ends_when_its_time_is_over(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("await SW.extra.sleep(1e9)")
    done = flowcage("run", "w.js", "--no-store", "--timeout", "100ms", cwd=tmp_path)
    assert (done.status, done.json["verdict"]) == (124, "wall_timeout")
