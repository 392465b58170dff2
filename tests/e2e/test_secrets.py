"""What is not to be stored is in no file of the store, and the run is gone on with all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from .command import FLOWCAGE

pytestmark = pytest.mark.executed

SECRET = "secret-4711"
VARIABLE = "key-of-the-environment-0815"
SOURCE = """
const secret = ['sec', 'ret-4711'].join('');
const first = await agent('use ' + secret);
const kid = await workflow('kid', {key: secret});
export default [first, kid, await agent('last ' + secret)];"""
KID = "export default [await agent('kid ' + args.key), await agent('more ' + args.key)]"
# Answers; the third time, it kills the flowcage that asks.
# Its parent is a supervisor, and the host is the parent of that.
AGENT = """#!/bin/sh
prompt=$(cat)
echo "$prompt" >> "$0.prompts"
if [ "$(wc -l < "$0.prompts")" -eq 3 ]; then kill -9 "$(cut -d " " -f 4 "/proc/$PPID/stat")"; fi
echo ok
"""


class Case:
    """A store of its own."""

    def __init__(self, folder: Path) -> None:
        self.agent = folder / "agent.sh"
        self.agent.write_text(AGENT)
        self.agent.chmod(0o755)
        self._folder = folder
        (folder / "w.js").write_text(SOURCE)
        (folder / "kid.js").write_text(KID)
        self.store = folder / "store" / "runs.db"
        self.store.parent.mkdir()

    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [FLOWCAGE, *words, "--store", self.store],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "SOME_API_KEY": VARIABLE},
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self("run", self._folder / "w.js", "--agent", f"command:{self.agent}", "--quiet", *words)

    def found(self, text: str) -> list[str]:
        """The names of the store's files that have this text in them."""
        files = [each for each in self.store.parent.rglob("*") if each.is_file()]
        assert files
        return [each.name for each in files if text.encode() in each.read_bytes()]


@pytest.mark.parametrize("withheld", [True, False])
def test_prompts_are_in_no_file_of_the_store(tmp_path: Path, withheld: bool) -> None:
    case = Case(tmp_path)
    assert case.run(*(["--no-store-prompts"] if withheld else [])).returncode == -signal.SIGKILL
    assert bool(case.found(SECRET)) is not withheld  # the log is as it was when the host was killed

    done = case("resume", "@last", "--quiet")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == ["ok", ["ok", "ok"], "ok"]
    asked = (tmp_path / "agent.sh.prompts").read_text().splitlines()
    assert asked == [f"{each} {SECRET}" for each in ("use", "kid", "more", "more", "last")]

    shown = case("show", "@last")
    assert shown.returncode == 0, shown.stderr
    assert ("[not stored]" in shown.stdout) is withheld
    assert (SECRET in shown.stdout) is not withheld
    assert case("export", "@last", case.store.parent / "export.db").returncode == 0
    assert bool(case.found(SECRET)) is not withheld
    assert case.found(VARIABLE) == []
