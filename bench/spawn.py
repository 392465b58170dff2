"""From exec to the answer to ``initialize``, in its cage: wall clock and CPU, and node's start beside it.

    python bench/spawn.py [rounds]

Each round times every contender once, in turn, so that a slow moment of the machine affects all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tables.markdown import table

from flowcage._child_command import child_command

GOAL_MS = 30
CHILD = child_command("flowcage.child", "flowcage.child.__main__")  # as the exec launcher starts it
INSTALLED = str(Path(sys.executable).with_name("flowcage-child"))  # as other languages start it
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "1.0"}}
Sample = tuple[float, float]  # milliseconds of wall clock and of CPU


def child(command: tuple[str, ...], environment: dict[str, str]) -> Sample:
    """Start a child, and end it when it has answered."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd="/"
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    wall = time.perf_counter() - began
    if b'"result"' not in answer:
        raise SystemExit(f"the child answered {answer!r}")
    process.kill()
    return wall * 1000, _reap(process)


def program(*words: str) -> Sample:
    """A program from start to exit."""
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    cpu = _reap(process)
    return (time.perf_counter() - began) * 1000, cpu


def _reap(process: subprocess.Popen[bytes]) -> float:
    """Milliseconds of CPU of a process that ends now."""
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0  # Popen must not wait for it
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    return (usage.ru_utime + usage.ru_stime) * 1000


def contenders(folder: Path) -> dict[str, Callable[[], Sample]]:
    """The contenders by name; node only where it is installed."""
    module = folder / "file.mjs"
    module.write_text("export default 1\n")
    found: dict[str, Callable[[], Sample]] = {
        "the exec launcher": lambda: child(CHILD, {"TZ": "UTC0"}),
        "`flowcage-child`, from a shell": lambda: child((INSTALLED,), dict(os.environ)),
        "`python -I -S -c pass`": lambda: program(sys.executable, "-I", "-S", "-c", "pass"),
    }
    if node := shutil.which("node"):
        found["`node file.mjs`, to its exit"] = lambda: program(node, str(module))
    return found


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as folder:
        runs = contenders(Path(folder))
        samples: dict[str, list[Sample]] = {name: [] for name in runs}
        for number in range(rounds + 2):
            for name, run in runs.items():
                sample = run()
                if number >= 2:  # two rounds to warm the page cache
                    samples[name].append(sample)
    rows = []
    for name, measured in samples.items():
        wall, cpu = zip(*measured, strict=True)
        rows.append([name, *(f"{figure(times):.1f}" for times in (wall, cpu) for figure in (median, min))])
    print(table(["exec to the answer to `initialize`, ms", "wall", "least", "CPU", "least"], rows))
    reached = median(wall for wall, _ in samples["the exec launcher"]) <= GOAL_MS
    print(
        f"\nGoal: the exec launcher within {GOAL_MS} ms (median of wall clock): {'yes' if reached else 'no'}"
    )


if __name__ == "__main__":
    main()
