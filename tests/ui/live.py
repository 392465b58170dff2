"""Runs in processes of their own, for servers that show them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..e2e.command import DEADLINE, FLOWCAGE

HOSTILE = "</script><script>hacked = 1</script><img src=x onerror='hacked=1'>\x1b[31m\u202etxt\u0000"

AGENT = """#!{python} -S
import sys
prompt = sys.stdin.read()
if prompt.startswith("wait"):
    print("waits", file=open({waits!r}, "w"), flush=True)
    open({go!r}).read()
if prompt.startswith("fail") and not __import__("os").path.exists({mended!r}):
    sys.exit(3)
print("answer to " + prompt)
"""


class Place:
    """A folder with a store, and an agent that waits for prompts that begin so until it is let go."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "runs.db"
        self.script = folder / "w.js"
        self.waits, self._go, self.mended = folder / "waits", folder / "go", folder / "mended"
        os.mkfifo(self.waits)
        os.mkfifo(self._go)
        self._agent = folder / "agent"
        names = {"waits": str(self.waits), "go": str(self._go), "mended": str(self.mended)}
        self._agent.write_text(AGENT.format(python=sys.executable, **names))
        self._agent.chmod(0o700)

    def let_go(self) -> None:
        self._go.write_text("")

    @contextmanager
    def running(self, source: str, *words: str) -> Iterator[subprocess.Popen[str]]:
        """`flowcage run` of a source, which is killed at the end of the block if it is not over."""
        self.script.write_text(source)
        command: list[str | Path] = [
            FLOWCAGE,
            "run",
            self.script,
            "--agent",
            f"command:{self._agent}",
            "--store",
            self.store,
        ]
        process = subprocess.Popen(
            [*command, "--no-prompt", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def ran(self, source: str, *words: str, kill: bool = False) -> str:
        """The id of a run that has come to its end; or was killed when its agent was told to wait."""
        with self.running(source, *words) as process:
            if kill:
                assert self.waits.read_text() == "waits\n"
                process.send_signal(signal.SIGKILL)
            out, _ = process.communicate(timeout=DEADLINE)
        return "" if kill else str(json.loads(out)["runId"])
