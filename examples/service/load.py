"""``python -m examples.service.load``: how much a hostile tenant slows a well-behaved one.

Alone, the service and its children may use half of the cores. Beside the hostile tenant they may use all of
them. The clients may always use all: alone, the service has its half for itself.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import trio

from .arguments import count, seconds
from .client import get_statistics, post_run
from .hostile import ATTACKS

CORES = sorted(os.sched_getaffinity(0))
HALF = CORES[: max(1, len(CORES) // 2)]
TENANTS: dict[str, Any] = {
    "well": {"token": "well", "limits": {"max_runs": 4, "cpu_seconds_per_minute": 60}},
    "hostile": {"token": "hostile", "limits": {"max_queued": 2_000}},
}
# A small real workflow. Its three agents answer at once, so that the times are the service's.
WORK = """phase("count");
const counts = await parallel(args.texts.map((text) => () => agent(text)));
return counts.map((count) => parseInt(count)).reduce((a, b) => a + b, 0);"""
ARGS = {"texts": ["one two three", "four five", "six"]}
EXPECTED = 6
LEAST_RUNS = 2


class Latencies(NamedTuple):
    """Of one phase, in milliseconds."""

    median: float
    p99: float
    runs: int

    @classmethod
    def of(cls, seconds: list[float]) -> Latencies:
        """From single measurements, two at least."""
        return cls(
            statistics.median(seconds) * 1e3, statistics.quantiles(seconds, n=100)[98] * 1e3, len(seconds)
        )


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m examples.service.load", description=__doc__)
    parser.add_argument("--seconds", type=seconds, default=10, help="of each phase in each round")
    parser.add_argument("--rounds", type=count, default=3, help="of both phases in turn")
    parser.add_argument(
        "--hostile-runs", type=count, default=len(HALF), help="at once, of the hostile tenant"
    )
    parser.add_argument(
        "--attack", action="append", choices=list(ATTACKS), help="only this one; may be repeated"
    )
    chosen = parser.parse_args()
    try:
        alone, beside = measure(chosen)
    except KeyboardInterrupt:
        sys.exit(130)
    if min(len(alone), len(beside)) < LEAST_RUNS:
        few = f"{len(alone)} runs alone and {len(beside)} beside the hostile tenant were measured"
        sys.exit(f"{parser.prog}: {few}, too few for a figure; give more --seconds or --rounds")
    report(Latencies.of(alone), Latencies.of(beside))


def measure(chosen: argparse.Namespace) -> tuple[list[float], list[float]]:
    """How long runs took, in seconds: alone, and beside the hostile tenant."""
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(chosen.rounds):
        with service(HALF, chosen.hostile_runs) as port:
            alone += trio.run(well_behaved, port, chosen.seconds)
        with service(CORES, chosen.hostile_runs) as port, hostile(port, chosen.attack or []) as process:
            beside += trio.run(well_behaved, port, chosen.seconds)
            if process.poll() is not None:
                sys.exit("the hostile tenant gave up")
            tally = trio.run(get_statistics, port, "hostile")
            print(f"the hostile tenant's runs: {tally.body}", flush=True)
    return alone, beside


def report(alone: Latencies, beside: Latencies) -> None:
    """Print both phases and their ratios."""
    print(f"{'':28}{'median':>10}{'p99':>10}{'runs':>8}")
    for name, each in (("alone on half the machine", alone), ("beside a hostile tenant", beside)):
        print(f"{name:28}{each.median:>7.1f} ms{each.p99:>7.1f} ms{each.runs:>8}")
    print(f"{'ratio':28}{beside.median / alone.median:>10.2f}{beside.p99 / alone.p99:>10.2f}")


async def well_behaved(port: int, seconds: float) -> list[float]:
    """One run after the other; how long each took."""
    taken: list[float] = []
    for _ in range(5):  # the first makes a zygote
        await _work(port)
    end = trio.current_time() + seconds
    while trio.current_time() < end:
        began = trio.current_time()
        await _work(port)
        taken.append(trio.current_time() - began)
    return taken


async def _work(port: int) -> None:
    answer = await post_run(port, "well", {"source": WORK, "args": ARGS})
    if answer.status != 200 or answer.body["result"] != EXPECTED:
        sys.exit(f"the well-behaved tenant was not served: {answer}")


@contextmanager
def service(cores: list[int], hostile_runs: int) -> Iterator[int]:
    """A service that may use these cores; its port."""
    tenants = json.loads(json.dumps(TENANTS))
    tenants["hostile"]["limits"]["max_runs"] = hostile_runs
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tenants.json")
        path.write_text(json.dumps(tenants))
        files = ("--tenants", path, "--store", Path(folder, "service.db"))
        words = ("--port", "0", "--agent-seconds", "0", "--grace-seconds", "0")
        os.sched_setaffinity(0, cores)  # inherited
        process = _start("examples.service", *files, *words)
        os.sched_setaffinity(0, CORES)
        with _until_terminated(process):
            yield int(_first_line(process, "the service").rpartition(b":")[2])


@contextmanager
def hostile(port: int, attacks: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The hostile tenant, attacking until the block ends."""
    process = _start("examples.service.hostile", str(port), *attacks)
    with _until_terminated(process):
        _first_line(process, "the hostile tenant")
        yield process


def _start(module: str, *words: str | Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    return subprocess.Popen((sys.executable, "-m", module, *words), cwd=root, stdout=subprocess.PIPE)


def _first_line(process: subprocess.Popen[bytes], what: str) -> bytes:
    """The line that the process prints when it is ready."""
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        sys.exit(f"{what} did not start; its stderr is above")
    return line


@contextmanager
def _until_terminated(process: subprocess.Popen[bytes]) -> Iterator[None]:
    with process:
        try:
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
