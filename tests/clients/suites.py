"""Runs a client's own test suite, in its own language, against the child of this environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[2] / "clients"
DEADLINE_S = 600


def require(program: str) -> str:
    """Where a program is; skips the test if this machine has none."""
    if (path := shutil.which(program)) is None:
        pytest.skip(f"there is no {program} on this machine")
    return path


def run(client: str, *command: str) -> str:
    """Run a command in a client's folder; it must succeed. Its stdout."""
    environment = {**os.environ, "FLOWCAGE_PYTHON": sys.executable}
    done = subprocess.run(
        command,
        cwd=CLIENTS / client,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{_what_failed(done.stdout)}{done.stderr[-4_000:]}"
    return done.stdout


def _what_failed(report: str) -> str:
    """A report without what passed: hundreds of lines would hide the one that counts."""
    lines = [line for line in report.splitlines() if not re.match(r"\s*(=== |--- PASS|✔|▶)", line)]
    return "\n".join(lines)[-20_000:]


def count(pattern: str, text: str) -> int:
    """The number that a report tells."""
    found = re.search(pattern, text, re.MULTILINE)
    assert found is not None, text
    return int(found[1])
