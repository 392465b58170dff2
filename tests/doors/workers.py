"""Workers of a store, in processes of their own, and their agent."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ..e2e.command import DEADLINE, FLOWCAGE, Finished, flowcage

# Notes what it is asked, and answers it; "wait" once there is a file of the name "go".
_AGENT = """
import os, sys, time
asked = sys.stdin.read().strip()
with open("asked", "a") as file:
    file.write(asked + "\\n")
while asked == "wait" and not os.path.exists("go"):
    time.sleep(0.01)
print(f"<{asked}>")
"""
ASKS = "log('began'); export default [await agent('hello'), args]"
WAITS = "export default [await agent('first'), await agent('wait')]"
QUESTION = "import { ask } from 'workflow:extra'; export default await ask('Which?')"


def address(server: str, schema: str) -> str:
    """That of a schema, for commands."""
    given = dict(pair.split("=", 1) for pair in server.split())
    place = f"host={given['host']}&port={given['port']}&schema={schema}"
    return f"postgresql://{given['user']}@/{given['dbname']}?{place}"


class Cluster:
    """A store, and its workers.

    Args:
        store: as ``--store`` takes it.
        folder: of the agent.
    """

    def __init__(self, store: str, folder: Path) -> None:
        self.store, self.folder = store, folder
        self._workers: list[subprocess.Popen[str]] = []
        (folder / "agent.py").write_text(_AGENT)

    def worker(self, *words: str) -> subprocess.Popen[str]:
        """One that has begun to take runs."""
        agent = f"--agent=command:{sys.executable} -S agent.py"
        started = subprocess.Popen(
            [FLOWCAGE, "worker", f"--store={self.store}", agent, "--slots=2", *words],
            cwd=self.folder, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._workers.append(started)
        assert started.stderr is not None
        lines = iter(started.stderr.readline, "")
        assert any("takes runs of" in line for line in lines), "it has ended"
        return started

    def on(self, *words: str, status: int = 0) -> Finished:
        """A command about the store."""
        done = flowcage(*words, "--store", self.store, cwd=self.folder)
        assert done.status == status, done.stderr
        return done

    def go(self) -> None:
        """Let the agent answer "wait"."""
        (self.folder / "go").touch()

    def asked(self) -> list[str]:
        """What the agent was asked."""
        file = self.folder / "asked"
        return file.read_text().split() if file.exists() else []

    def until_asked(self, prompt: str) -> None:
        """Wait until it is asked this."""
        eventually(lambda: prompt in self.asked())

    def until(self, run: str, state: str) -> None:
        """Wait until a run is in a state."""
        eventually(lambda: self.state(run) == state)

    def state(self, run: str) -> str:
        """That a run is in."""
        (found,) = [each for each in self.on("ls", "--json").json if each["runId"] == run]
        return str(found["state"])

    def end(self) -> None:
        """Kill what is left."""
        while self._workers:
            each = self._workers.pop()
            each.kill()
            each.wait()
            assert each.stderr is not None
            each.stderr.close()


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds that another process brings about and tells nobody."""
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
