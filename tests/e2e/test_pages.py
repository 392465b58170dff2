"""README.md and docs/security.md are true where a program can tell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flowcage.host import RunError, Verdict
from flowcage.host.cli import exits
from flowcage.protocol.layers import LAYERS, STRICT_LAYERS
from flowcage.protocol.messages import METHODS

from . import readme
from .command import DEADLINE, FLOWCAGE

SECURITY = (readme.ROOT / "docs" / "security.md").read_text()
PROGRAM = re.findall(r"^```python\n(.*?)^```$", readme.README, re.DOTALL | re.MULTILINE)[0]


def table(heading: str) -> list[list[str]]:
    """The rows of the table in docs/security.md with this heading."""
    rows = SECURITY.split(heading)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


# An attack has the default grace there, five seconds of CPU; test_attack_examples.py tries it with less.
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=[pytest.mark.thorough] if "examples/attacks/" in command else [])
        for command in readme.COMMANDS
    ],
)
def test_a_command_of_the_readme_does_what_it_says(command: str, tmp_path: Path) -> None:
    readme.check(command, FLOWCAGE.parent, tmp_path)


def test_the_program_of_the_readme_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, timeout=DEADLINE, check=False
    )
    assert (done.stderr, done.stdout[:10]) == (b"", b"HELLO, ADA")


def test_the_readme_counts_the_messages() -> None:
    assert len(METHODS) == 13
    assert "thirteen JSON-RPC messages" in readme.README


def test_the_table_of_layers_lists_all_and_says_which_must_hold() -> None:
    named = [(name, must) for names, _, must in table("| layer |") for name in re.findall(r"`(\w+)`", names)]
    assert {name for name, _ in named} == set(LAYERS)
    assert {name for name, must in named if must == "yes"} == set(STRICT_LAYERS)


def test_the_table_of_verdicts_lists_all_with_their_exit_statuses() -> None:
    rows = {name.strip("`"): status for name, _, status in table("| verdict |")}
    assert set(rows) == set(Verdict)
    for verdict in set(Verdict) - {Verdict.COMPLETED, Verdict.CANCELLED, Verdict.HOST_SHUTDOWN}:
        error = RunError("x")
        error.verdict = verdict
        assert int(re.split(r"\W", rows[verdict])[0]) == exits.status(error), verdict
