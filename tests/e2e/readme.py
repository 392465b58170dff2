"""The commands that README.md shows, run in a shell beside its examples."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from .command import DEADLINE

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^flowcage .*$", "".join(SHELL), re.MULTILINE)


def check(command: str, programs: Path, folder: Path, deadline: float = DEADLINE) -> None:
    """Run a command with these programs on the PATH; its status must be what its comment tells, or 0."""
    (folder / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        timeout=deadline,
        check=False,
    )
    told = re.search(r"exit status (\d+)", command)
    assert done.returncode == (int(told[1]) if told else 0), done.stderr
