"""flowcage from Node: a trivial run beside ``node file.mjs``, and a round trip beside the Python host's.

    python bench/embed.py [rounds]

Each round times every contender in turn. In a round trip the workflow makes a request, the handler answers,
and the workflow goes on. The clock runs from the first request until the child has ended. Node's own process
is started before that, as an embedder's would be. Where ``flowcage serve`` does not start, its lines are left
out.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import trio

from flowcage import run_workflow
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.run.options import RunOptions

TRIPS = 200
RUNS_EACH = 5
SERVER_SECONDS = 30.0
CHILD = ("command", sys.executable, "-I", "-m", "flowcage.child")
ASKING = f"for (let i = 0; i < {TRIPS}; i++) await agent('x'); return 1"


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Path | None]:
    """The socket of a running ``flowcage serve``; None where it does not start."""
    path = folder / "socket"
    command = (sys.executable, "-m", "flowcage.host.cli.entry", "serve", "--socket", str(path))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SERVER_SECONDS
        while not path.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        yield path if path.exists() else None
    finally:
        process.terminate()
        process.wait()


def from_node(what: str, where: tuple[str, ...]) -> list[float]:
    """Milliseconds for each of a few runs, or for each round trip in them."""
    script = Path(__file__).with_name("embed.mjs")
    command = ("node", str(script), what, str(RUNS_EACH), *where)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return [float(line) for line in done.stdout.split()]


def node_itself(module: Path) -> list[float]:
    """Milliseconds for ``node file.mjs``."""
    times = []
    for _ in range(RUNS_EACH):
        began = time.perf_counter()
        subprocess.run(("node", str(module)), check=True)
        times.append((time.perf_counter() - began) * 1000)
    return times


def python_host() -> list[float]:
    """Milliseconds for each round trip of the Python host."""
    began = 0.0

    async def agent(_call: AgentCall) -> AgentAnswer:
        nonlocal began
        began = began or time.perf_counter()
        return AgentAnswer("y")

    async def trips() -> float:
        nonlocal began
        began = 0.0
        await run_workflow(ASKING, options=RunOptions(agent=agent))
        return (time.perf_counter() - began) * 1000 / TRIPS

    return [trio.run(trips) for _ in range(RUNS_EACH)]


def measure(contenders: dict[str, Callable[[], list[float]]], rounds: int) -> dict[str, float]:
    """The median time of each contender, in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            times[name] += contender()
    return {name: statistics.median(measured) for name, measured in times.items()}


def show(title: str, medians: dict[str, float], reference: str) -> None:
    """Print one table, with each median as a multiple of the reference's."""
    print(f"\n{title}; medians, ms")
    for name, median in medians.items():
        print(f"{name:<28} {median:>8.3f} {median / medians[reference]:>6.2f} x {reference}")


def main() -> None:
    """Print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if shutil.which("node") is None:
        raise SystemExit("this benchmark needs node, which is not on the path")
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as path:
        module = Path(name) / "file.mjs"
        module.write_text("export default 1\n")
        ways: dict[str, tuple[str, ...]] = {"Node, a process each": CHILD}
        if path is None:
            print("`flowcage serve` does not start here; its lines are left out")
        else:
            ways["Node through serve"] = ("socket", str(path))
        runs = {way: (lambda where=where: from_node("run", where)) for way, where in ways.items()}
        trips = {way: (lambda where=where: from_node("trip", where)) for way, where in ways.items()}
        alone = {"node file.mjs": lambda: node_itself(module)}
        show("a trivial run", measure(alone | runs, rounds), "node file.mjs")
        show("one round trip", measure({"Python host": python_host} | trips, rounds), "Python host")


if __name__ == "__main__":
    main()
