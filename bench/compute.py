"""Pure computation: flowcage's engine binding beside quickjs-ng called directly through its own wrapper.

    python bench/compute.py [layouts]

Both run the same engine build, each in its own process: the wrapper starts a thread, and flowcage must not
have one. flowcage's side is a whole run in that process, without the wire: a realm with the prelude, the
workflow compiled as a module, the watchdog armed. The clock is the thread's CPU time, and covers the
evaluation only, not the making of the context; the wrapper's `eval` compiles its few lines within it.

The address-space layout changes the time of a tight loop by several percent, so both sides are started anew
for each layout. In one layout they take turns; the last column is the median of the ratios of all pairs of
turns.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import Any

# Expressions; the work is inside a function, so that both sides use local variables.
PROGRAMS = {
    "recursion, fib(30)": """(() => {
        const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
        return fib(30);
    })()""",
    "integer loops": """(() => {
        let sum = 0;
        for (let i = 0; i < 12000; i++) for (let j = 0; j < 450; j++) sum = (sum + i * j) | 0;
        return sum;
    })()""",
    "JSON round trip": """(() => {
        const rows = [];
        for (let i = 0; i < 2000; i++) rows.push({ id: i, name: `row ${i}`, tags: ["a", "b"], score: i / 3 });
        let text = JSON.stringify(rows);
        for (let i = 0; i < 20; i++) text = JSON.stringify(JSON.parse(text));
        return text.length;
    })()""",
    "regular expressions": """(() => {
        const text = "On 2024-05-17 ada@example.org wrote 12 lines; ".repeat(300);
        let found = 0;
        for (let i = 0; i < 48; i++) {
            found += [...text.matchAll(/(\\d{4})-(\\d\\d)-(\\d\\d)/g)].length;
            const shouted = text.replace(/[\\w.]+@(\\w+\\.)+\\w+/g, (all) => all.toUpperCase());
            found += shouted.split(/;\\s*/).length;
        }
        return found;
    })()""",
}


# ---- the two sides, each in a process of its own ---------------------------------------------


def direct(program: str) -> tuple[float, Any]:
    """Seconds for one evaluation by the wrapper class, and its value."""
    import quickjs  # type: ignore[import-untyped]

    context = quickjs.Context()
    source = f'"use strict"; {program}'
    began = time.thread_time()
    value = context.eval(source)
    return time.thread_time() - began, value


def flowcage(program: str) -> tuple[float, Any]:
    """Seconds for one evaluation as a workflow, and its result."""
    import json

    from flowcage.child.cage.highwater import HighWater
    from flowcage.child.sandbox.execution import Execution
    from flowcage.child.sandbox.realm import Realm
    from flowcage.protocol.limits import Limits
    from flowcage.protocol.messages import Start

    limits = Limits()
    realm = Realm(limits, HighWater())
    execution = Execution(realm)
    execution.start(Start(f"export default {program};"))
    began = time.thread_time()
    drained = execution.drain()
    seconds = time.thread_time() - began
    realm.close()
    return seconds, json.loads(drained)["output"]["result"]


SIDES = {"quickjs-ng": direct, "flowcage": flowcage}
TURNS = 3


def serve(side: str) -> None:
    """Time the program whose name each line of stdin holds."""
    for line in sys.stdin:
        seconds, value = SIDES[side](PROGRAMS[line.strip()])
        print(seconds, value, flush=True)


# ---- the table -------------------------------------------------------------------------------


class Contender:
    """One side's process."""

    def __init__(self, side: str) -> None:
        # -I: the folder of this file must not come before the standard library.
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, "--side", side],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, program: str) -> tuple[float, str]:
        """Milliseconds of one evaluation, and its value as text."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{program}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().split()
        if len(answer) != 2:
            raise SystemExit(f"a side's process ended in {program!r}")
        return float(answer[0]) * 1000, answer[1]

    def close(self) -> None:
        """Close stdin, at which the process exits, and reap it."""
        self._process.communicate()


def measure(program: str, layouts: int) -> dict[str, list[float]]:
    """Milliseconds of each turn; the first of each process warms it up and is dropped."""
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    values = set()
    for _ in range(layouts):
        contenders = {side: Contender(side) for side in SIDES}
        for turn in range(TURNS + 1):
            for side, contender in contenders.items():
                milliseconds, value = contender.run(program)
                values.add(value)
                if turn:
                    times[side].append(milliseconds)
        for contender in contenders.values():
            contender.close()
    if len(values) != 1:
        raise SystemExit(f"{program}: the sides differ: {values}")
    return times


def main() -> None:
    """Print the table."""
    from flowcage.host.cli.engine import engine_build

    layouts = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    print(f"CPU time of the evaluation, median and min in ms; {os.cpu_count()} cores")
    print(f"{layouts} layouts of {TURNS} turns")
    print(f"engine: {engine_build().partition(':')[0]}")
    print(f"{'':<22} {'quickjs-ng':>17} {'flowcage':>17} {'flowcage takes':>16}")
    for program in PROGRAMS:
        times = measure(program, layouts)
        cells = [f"{statistics.median(times[side]):>9.2f} {min(times[side]):>7.2f}" for side in SIDES]
        ratios = [ours / direct for direct, ours in zip(*times.values(), strict=True)]
        print(f"{program:<22} {' '.join(cells)} {statistics.median(ratios):>14.3f}x")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        serve(sys.argv[2])
    else:
        main()
