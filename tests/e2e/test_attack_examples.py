"""Each attack of `examples/attacks` gets the verdict and the exit status that its first line announces."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .command import EXAMPLES, flowcage

ATTACKS = sorted((EXAMPLES / "attacks").glob("*.js"))
ANNOUNCED = re.compile(r"Verdict: (\w+), exit status (\d+)\.")
# cpuSeconds and maxTotalAgents in their usual proportion: with the defaults, too, CPU must run out first. A
# child may take two steps to answer `run`, and cpuSeconds must be more.
LIMITS = ("stepTimeoutMs=700", "answerGraceSeconds=0.5", "cpuSeconds=2", "maxTotalAgents=33")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda path: path.stem)
def test_an_attack_gets_the_verdict_that_it_announces(attack: Path) -> None:
    announced = ANNOUNCED.search(attack.read_text())
    assert announced is not None
    limits = [word for limit in LIMITS for word in ("--limit", limit)]
    finished = flowcage("run", "--quiet", attack, *limits)
    verdict, status = announced.groups()
    assert finished.stderr.startswith(f"flowcage: {verdict}: ")
    assert finished.status == int(status)


def test_the_examples_show_every_verdict_that_a_workflow_can_bring_about() -> None:
    shown = {found[1] for path in ATTACKS if (found := ANNOUNCED.search(path.read_text()))}
    assert shown == {
        "cpu_limit",
        "failed",
        "memory_limit",
        "output_limit",
        "stalled",
        "step_timeout",
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--limit", "cpuSeconds=0"], "cpuSeconds must be a whole number from 1"),
        (["--limit", "cpuSeconds=-1"], "cpuSeconds must be a whole number from 1"),
        (["--limit", "cpuSeconds=1.5"], "cpuSeconds must be a whole number from 1"),
        (["--limit", "memoryBytes=99999999999999999999"], "memoryBytes must be a whole number from 1"),
        (["--limit", "timeoutSeconds=0"], "timeoutSeconds must be finite and above 0"),
        (["--limit", "maxAgents=0"], "maxAgents must be at least 1"),
        (["--limit", "cpu_seconds=0"], "cpu_seconds must be a whole number from 1"),
        (["--limit", "timeout_seconds=0"], "timeout_seconds must be finite and above 0"),
        (["--limit", "address_space_bytes=1000"], "address_space_bytes (1000) is less than memoryBytes"),
        (["--limit", "cpuSecond=1"], "there is no limit 'cpuSecond'; did you mean 'cpuSeconds'?"),
        (["--limit", "cpu_secs=1"], "there is no limit 'cpu_secs'; did you mean 'cpu_seconds'"),
        (["--limit", "CPUSECONDS=1"], "there is no limit 'CPUSECONDS'; did you mean 'cpuSeconds'?"),
        (["--limit", "cpuSeconds=1", "--limit", "cpuSeconds=2"], "cpuSeconds is given twice, as 1 and as 2"),
        (["--limit", "cpuSeconds=1", "--limit", "cpu_seconds=2"], "cpuSeconds and cpu_seconds are the same"),
        (["--limit", "speed=1"], "there is no limit 'speed'; there are memoryBytes"),
        (["--limit", "cpuSeconds"], "expected NAME=NUMBER"),
        (["--limit", "cpuSeconds=ten"], "expected NAME=NUMBER"),
        (["--limit", "addressSpaceBytes=1000"], "addressSpaceBytes (1000) is less than memoryBytes"),
        (["--limits", "no-such-file.json"], "cannot be read: No such file"),
    ],
)
def test_a_limit_that_no_run_can_have_is_told(words: list[str], told: str) -> None:
    finished = flowcage("run", EXAMPLES / "review.js", *words)
    assert told in finished.stderr
    assert finished.status == 2


def test_limits_come_from_a_file_and_the_command_line_comes_first(tmp_path: Path) -> None:
    limits, source = tmp_path / "limits.json", tmp_path / "w.js"
    limits.write_text(json.dumps({"maxSleepMs": 5, "maxPendingRequests": 1}))
    source.write_text("await SW.extra.sleep(6)")
    finished = flowcage("run", "--quiet", source, "--limits", limits)
    assert "exceeds the maximum" in finished.stderr
    finished = flowcage("run", "--quiet", source, "--limits", limits, "--limit", "maxSleepMs=6")
    assert "must default export" in finished.stderr


@pytest.mark.parametrize("text", ["[]", "{", '{"cpuSeconds": "10"}', '{"cpuSeconds": true}'])
def test_a_file_of_limits_that_holds_none_is_told(tmp_path: Path, text: str) -> None:
    limits = tmp_path / "limits.json"
    limits.write_text(text)
    finished = flowcage("run", EXAMPLES / "review.js", "--limits", limits)
    assert "limits.json" in finished.stderr
    assert finished.status == 2


@pytest.mark.parametrize("isolation", ["none", "best_effort", "strict"])
def test_a_weaker_isolation_is_shown_in_the_result(isolation: str) -> None:
    finished = flowcage("run", "--quiet", EXAMPLES / "review.js", "--isolation", isolation)
    assert finished.status == 0
    assert ("not strictly isolated" in finished.stderr) == (isolation == "none")
    assert ("seccomp" in finished.json.get("isolationMissing", [])) == (isolation == "none")
