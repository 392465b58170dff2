"""The installed ``flowcage`` command, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from . import forking
from .forking import Popen

FLOWCAGE = Path(forking.FLOWCAGE)
EXAMPLES = Path(__file__).parents[2] / "examples"
WORDS_AGENT = f"command:{sys.executable} -S {EXAMPLES / 'agents' / 'words.py'}"
DEADLINE = 300
# For a run of the whole kit: two hundred children or dozens of hosts, one after the other on a busy machine.
KIT_DEADLINE = 1200


class Finished(NamedTuple):
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """stdout, which must be one JSON text."""
        return json.loads(self.stdout)


def flowcage(
    *words: str | Path,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    stdin: bytes = b"",
    deadline: float = DEADLINE,
) -> Finished:
    """Run the command to its end; a traceback is a failure whatever the test is about.

    It is forked where tests/conftest.py has a warm one.
    """
    process = Popen(
        [str(FLOWCAGE), *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )
    with process:
        try:
            out, err = process.communicate(stdin, deadline)
        finally:
            process.kill()
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    finished = Finished(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in finished.stderr, finished.stderr
    return finished
