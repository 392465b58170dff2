"""``flowcage fork``, and ``flowcage resume`` where a run is not gone on with strictly."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..e2e.command import FLOWCAGE

SOURCE = """const parts = await parallel([1, 2].map((i) => () => agent('part ' + i, {label: 'l' + i})));
export default {parts, whole: await agent('whole')};"""


class Command:
    """The command on the store of a folder that has had one run."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "runs.db"
        (folder / "w.js").write_text(SOURCE)
        self.edited = folder / "edited.js"
        self.edited.write_text(SOURCE.replace("'whole'", "'the whole'"))
        self.first = json.loads(self("run", folder / "w.js", "--quiet").stdout)

    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [FLOWCAGE, *words, "--store", self.store],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def runs(self) -> list[Any]:
        return list(json.loads(self("ls", "--json").stdout))


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_an_edited_script_goes_on_with_the_answers_of_the_run(command: Command) -> None:
    done = command("resume", "@last", command.edited, "--explain")

    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["result"] == {"parts": ["echo: part 1", "echo: part 2"], "whole": "echo: the whole"}
    assert (told["usage"]["agents"], told["usage"]["reusedAgents"]) == (1, 2)
    assert "#3: prompt differs at character 0: 'whole' -> 'the whole'" in done.stderr
    assert "reused 2 of 3 calls" in done.stderr
    assert len(command.runs()) == 2


def test_a_dry_run_prints_what_would_be_reused_and_keeps_nothing(command: Command) -> None:
    done = command("resume", "@last", command.edited, "--dry-run", "--json")

    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert [each["reused"] for each in found["calls"]] == ["1", "2", None]
    assert (found["reused"], found["answers"], found["isComplete"]) == (2, 3, False)
    table = command("fork", "@last", command.edited, "--dry-run").stdout
    assert "2 of 3 answers of run" in table
    assert len(command.runs()) == 1


def test_a_run_that_is_over_says_what_can_be_done(command: Command) -> None:
    done = command("resume", "@last")

    assert (done.returncode, done.stdout) == (2, "")
    run_id = command.first["runId"]
    for way in (f"resume {run_id} SCRIPT", f"resume {run_id} --retry-failed", f"fork {run_id} --at TURN"):
        assert f"flowcage {way}" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("fork", "@last", "--at", "9"), "it can be forked at 1 to "),
        (("fork", "@last", "--from", "7"), "the run has no call '7'; it has 1, 2, 3"),
        (("fork", "@last", "--answer", "7=1"), "the run has no call '7'"),
        (("fork", "@last", "--answer", "7"), "--answer 7: expected ID=JSON"),
        (("fork", "@last", "--answer", "1={"), "--answer 1 is not JSON"),
        (("fork", "@last", "--answer", "1=1", "--answer", "1=2"), "--answer 1 is given twice"),
        (("fork", "nobody"), "the store has no run 'nobody'"),
        (("fork", "@last", "missing.js"), "missing.js: no such file"),
        (("resume", "@last", "--dry-run"), "these options need an edited SCRIPT"),
    ],
)
def test_what_cannot_be_is_a_usage_error(command: Command, words: tuple[str, ...], told: str) -> None:
    done = command(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(command.runs()) == 1


def test_an_answer_is_replaced_and_the_fork_can_be_forked(command: Command) -> None:
    one = json.loads(command("fork", "@last", "--answer", '1={"a": 1}', "--quiet").stdout)
    two = json.loads(command("fork", "@last", "--from", "3", "--quiet").stdout)

    assert one["result"]["parts"] == [{"a": 1}, "echo: part 2"]
    assert (one["usage"]["agents"], two["usage"]["agents"]) == (0, 1)
    assert two["result"] == one["result"]


def test_another_agent_is_asked_for_everything(command: Command) -> None:
    told = json.loads(command("resume", "@last", "--retry-failed", "--agent", "command:cat").stdout)

    assert told["result"]["whole"] == "whole"
    assert told["usage"]["reusedAgents"] == 0
