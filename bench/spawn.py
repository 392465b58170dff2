"""A trivial run from spawn to exit, beside ``node file.mjs``: the time of one process for each run.

    python bench/spawn.py [rounds]

Each round times every contender once, in turn, so that a slow moment of the machine affects all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from flowcage._child_command import child_command

CHILD = child_command("flowcage.child", "flowcage.child.__main__")  # as the exec launcher starts it
MESSAGES: list[tuple[str, dict[str, object]]] = [
    ("initialize", {"protocolVersion": "1.0"}),
    ("start", {"source": "export default 1"}),
    ("drain", {}),
    ("shutdown", {}),
]


def flowcage_run() -> None:
    """Start a child, run ``export default 1`` in its cage, check the result, and wait for the exit."""
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        for number, (method, params) in enumerate(MESSAGES)
    ]
    data = ("\n".join(lines) + "\n").encode()
    done = subprocess.run(CHILD, input=data, stdout=subprocess.PIPE, env={"TZ": "UTC0"}, check=True)
    drained = json.loads(done.stdout.splitlines()[2])
    if drained["result"]["output"] != {"result": 1}:
        raise SystemExit(f"the child answered {drained}")


def command(*words: str) -> Callable[[], None]:
    """A contender that is a command."""

    def run() -> None:
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)

    return run


def contenders(folder: Path) -> dict[str, Callable[[], None]]:
    """The contenders by name; node only where it is installed."""
    found: dict[str, Callable[[], None]] = {
        "flowcage child, strict": flowcage_run,
        "python -I -S -c pass": command(sys.executable, "-I", "-S", "-c", "pass"),
    }
    if node := shutil.which("node"):
        module = folder / "file.mjs"
        module.write_text("export default 1\n")
        found["node file.mjs"] = command(node, str(module))
    return found


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as folder:
        runs = contenders(Path(folder))
        times: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(rounds + 2):
            for name, run in runs.items():
                began = time.perf_counter()
                run()
                if number >= 2:  # two rounds to warm the page cache
                    times[name].append((time.perf_counter() - began) * 1000)
    own = statistics.median(times["flowcage child, strict"])
    print(f"trivial run, spawn to exit; {rounds} rounds, {os.cpu_count()} cores; ms")
    print(f"{'':<24} {'median':>8} {'min':>8} {'max':>8} {'flowcage is':>14}")
    for name, measured in times.items():
        median = statistics.median(measured)
        ratio = f"{median / own:.2f}x faster" if median > own else f"{own / median:.2f}x slower"
        print(f"{name:<24} {median:>8.1f} {min(measured):>8.1f} {max(measured):>8.1f} {ratio:>14}")


if __name__ == "__main__":
    main()
