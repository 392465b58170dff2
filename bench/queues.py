"""The cost of a call and of a request in one drain, with 10,000 of each, through a real child.

    python bench/queues.py [rounds]

Each row is timed from the first byte of the messages to the last reply parsed, beside a baseline: the same
bytes through a trivial Python process that parses and encodes each line (`json.loads`, `json.dumps`) and does
nothing else. For a drain the bytes are those of its reply, there and back. `resolve` includes the drain in
which the workflow takes its answers and completes.

Not called queue.py: the folder of a script comes first on `sys.path`, and trio imports the real `queue`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

COUNT = 10_000
WINDOW = 100  # messages in flight; their replies fit a pipe
CHILD = [sys.executable, "-I", "-m", "flowcage.child"]
ECHO = """
import json, sys
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(json.dumps(json.loads(line), separators=(",", ":")).encode() + b"\\n")
    sys.stdout.buffer.flush()
"""
LOGS = f"for (let i = 0; i < {COUNT}; i++) log('line', i);\nexport default await agent('more');"
AGENTS = f"""
const tasks = Array.from({{ length: {COUNT} }}, (_, i) => () => agent(`task ${{i}}`, {{ label: `t${{i}}` }}));
export default (await parallel(tasks)).length;
"""


class Process:
    """A process that answers each line with a line."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"TZ": "UTC0"}
        )

    def exchange(self, lines: list[bytes], window: int) -> tuple[float, list[bytes]]:
        """Send the lines, `window` at a time, and parse every reply; return seconds, and the replies."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        replies = []
        began = time.perf_counter()
        for start in range(0, len(lines), window):
            batch = lines[start : start + window]
            stdin.write(b"".join(batch))
            stdin.flush()
            for _ in batch:
                replies.append(stdout.readline())
                json.loads(replies[-1])
        return time.perf_counter() - began, replies

    def close(self) -> None:
        """Close stdin, wait for the exit, and check its status."""
        self._process.communicate()
        if self._process.returncode:
            raise SystemExit(f"a process exited with status {self._process.returncode}")


class Sample(NamedTuple):
    """One row of one round: seconds for `COUNT` items, and the lines for the baseline."""

    name: str
    seconds: float
    lines: list[bytes]
    window: int


def message(method: str, **params: Any) -> bytes:
    """A JSON-RPC request as a line."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"


def begun(source: str) -> Process:
    """A child after `start` and before the first drain."""
    child = Process(CHILD)
    child.exchange([message("initialize", protocolVersion="1.0"), message("start", source=source)], 1)
    return child


def drain(child: Process) -> tuple[float, bytes, dict[str, Any]]:
    """Drain once; return seconds, the line of the reply, and its result."""
    seconds, [line] = child.exchange([message("drain")], 1)
    return seconds, line, json.loads(line)["result"]


def log_round() -> Iterator[Sample]:
    """Samples of `COUNT` calls in one drain."""
    child = begun(LOGS)
    seconds, line, result = drain(child)
    if len(result["calls"]) != COUNT:
        raise SystemExit("calls were lost")
    yield Sample("log", seconds, [line], 1)
    child.close()


def agent_round(window: int) -> Iterator[Sample]:
    """Samples of `COUNT` requests in one drain, and of their answers with the drain that takes them."""
    child = begun(AGENTS)
    seconds, line, result = drain(child)
    if window == WINDOW:
        yield Sample("agent, parallel", seconds, [line], 1)
    answer = {"type": "ok", "value": "an answer"}
    lines = [message("resolve", id=request["id"], resolution=answer) for request in result["requests"]]
    settling, _ = child.exchange(lines, window)
    resuming, line, result = drain(child)
    if result["output"] != {"result": COUNT}:
        raise SystemExit(f"answers were lost: {result}")
    yield Sample(f"resolve, {window} in flight", settling + resuming, [*lines, line], window)
    child.close()


def one_round() -> Iterator[Sample]:
    """The samples of all rows."""
    yield from log_round()
    yield from agent_round(WINDOW)
    yield from agent_round(1)


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    own: dict[str, list[float]] = {}
    baseline: dict[str, list[float]] = {}
    echo = Process([sys.executable, "-I", "-c", ECHO])
    for number in range(rounds + 1):
        for sample in one_round():
            seconds, _ = echo.exchange(sample.lines, sample.window)
            if number:  # one round to warm up
                own.setdefault(sample.name, []).append(sample.seconds / COUNT * 1e6)
                baseline.setdefault(sample.name, []).append(seconds / COUNT * 1e6)
    echo.close()
    print(f"{COUNT:,} of each; {rounds} rounds, {os.cpu_count()} cores; µs for one, median and min")
    print(f"{'':<24} {'flowcage':>17} {'JSON echo':>17} {'flowcage takes':>16}")
    for name, measured in own.items():
        medians = statistics.median(measured), statistics.median(baseline[name])
        cells = [
            f"{median:>9.2f} {min(values):>7.2f}"
            for median, values in zip(medians, (measured, baseline[name]), strict=True)
        ]
        print(f"{name:<24} {' '.join(cells)} {medians[0] / medians[1]:>14.2f}x")


if __name__ == "__main__":
    main()
