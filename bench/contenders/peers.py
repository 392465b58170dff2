"""The peers as contenders: a process of node or deno for each run, and pydantic-monty as its users call it.

monty's pool replaces a worker after one checkout where a run is to have a fresh one, as flowcage's have; it
lives as long as the contender. Round trips use a pool whose workers are used again. Its calls
block, so they are made in the only thread here: nothing else is to be done meanwhile.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
from measuring import pss, timed
from tree_cpu import begin, since

MOST_CALLS = 900  # monty suspends a script a thousand times at most
WAITING = "console.log(1); setInterval(() => {}, 1e6);"
PING_PONG = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    reply = {"jsonrpc": "2.0", "id": message["id"], "result": message["params"]}
    sys.stdout.write(json.dumps(reply) + "\\n")
    sys.stdout.flush()
"""


class Peer:
    """What peers have in common: `run_once` blocks, in any thread."""

    def __init__(self) -> None:
        self.stack = ExitStack()

    async def __aenter__(self) -> Any:
        self.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stack.close()

    def begin(self) -> None:
        """Start what lives as long as the contender."""

    def run_once(self, _number: int = 0) -> None:
        """A trivial run, to its end."""
        raise NotImplementedError

    async def latency(self, count: int, pause: float) -> list[float]:
        """As `HostSide.latency`."""

        async def run() -> None:
            self.run_once()

        return [await timed(run, pause) for _ in range(count)]

    async def cost(self, count: int) -> float:
        """As `HostSide.cost`."""
        begun = begin()
        for _ in range(count):
            self.run_once()
        return since(begun).all / count * 1000

    async def rate(self, count: int, at_once: int) -> float:
        """As `HostSide.rate`."""
        began = time.perf_counter()
        with ThreadPoolExecutor(at_once) as threads:
            list(threads.map(self.run_once, range(count)))
        return count / (time.perf_counter() - began)


class Program(Peer):
    """A process of a JavaScript runtime for each run: its name, and words behind it."""

    def __init__(self, program: str, *words: str) -> None:
        super().__init__()
        # Beside the interpreter is where pip puts deno.
        path = shutil.which(program) or shutil.which(program, path=os.path.dirname(sys.executable))
        self.command = (path or program, *words)

    def begin(self) -> None:
        """Write the modules."""
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.module, self.waiting = folder / "module.mjs", folder / "waiting.mjs"
        self.module.write_text("export default 1")
        self.waiting.write_text(WAITING)

    def run_once(self, _number: int = 0) -> None:
        """A process from start to exit."""
        subprocess.run((*self.command, str(self.module)), check=True)

    async def memory(self, count: int) -> list[float]:
        """MiB (PSS) of processes that wait for a timer."""
        command = (*self.command, str(self.waiting))
        running = [_started(command) for _ in range(count)]
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        measured = [pss(process.pid) for process in running]
        for process in running:
            process.kill()
            process.communicate()
        return measured


def _started(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE)


class Monty(Peer):
    """pydantic-monty; its sandbox runs Python, without a cage by the operating system."""

    def begin(self) -> None:
        """Open the pool of fresh workers, and that of workers which are used again."""
        self.fresh = self.stack.enter_context(self._pool(max_checkouts_per_worker=1, max_processes=8))
        self.reused = self.stack.enter_context(self._pool())
        self.run_once()

    @staticmethod
    def _pool(**options: Any) -> Any:
        import pydantic_monty

        return pydantic_monty.Monty(**options)

    def run_once(self, _number: int = 0) -> None:
        """A trivial run in a fresh worker."""
        with self.fresh.checkout() as session:
            session.feed_run("1")

    async def rate_with_start(self, count: int, at_once: int) -> float:
        """Runs a second, with the start of a pool and its end in the time."""
        began = time.perf_counter()
        steady, self.fresh = self.fresh, self._pool(max_checkouts_per_worker=1, max_processes=at_once)
        with self.fresh, ThreadPoolExecutor(at_once) as threads:
            list(threads.map(self.run_once, range(count)))
        self.fresh = steady
        return count / (time.perf_counter() - began)

    async def round_trip(self, count: int) -> dict[str, float]:
        """Microseconds of a call of an external function from a script; wall clock, and CPU of all."""
        calls = min(count, MOST_CALLS)
        external = {"f": lambda text: text}
        with self.reused.checkout() as session:
            session.feed_run("f('hello')", external_lookup=external)
            cpu, began = begin(), time.perf_counter()
            session.feed_run(f"[f('hello') for _ in range({calls})]", external_lookup=external)
            wall = time.perf_counter() - began
        return {"wall": wall / calls * 1e6, "cpu": since(cpu).all / calls * 1e6}

    async def memory(self, count: int) -> list[float]:
        """MiB (PSS) of workers with an open session."""
        before = {process.pid for process in psutil.Process().children()}
        with self._pool(max_processes=count) as pool, ExitStack() as sessions:
            for _ in range(count):
                sessions.enter_context(pool.checkout()).feed_run("1")
            workers = {process.pid for process in psutil.Process().children()} - before
            return [pss(worker) for worker in workers]


class PingPong(Peer):
    """A blocking exchange of JSON lines between two Python processes, without a sandbox: a floor."""

    def begin(self) -> None:
        """Start the other process."""
        self.other = subprocess.Popen(
            [sys.executable, "-c", PING_PONG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.stack.callback(self.other.communicate)

    async def round_trip(self, count: int) -> dict[str, float]:
        """Microseconds of an exchange; wall clock, and CPU of both."""
        stdin, stdout = self.other.stdin, self.other.stdout
        assert stdin is not None
        assert stdout is not None
        cpu, began = begin(), time.perf_counter()
        for number in range(count):
            message = {"jsonrpc": "2.0", "id": number, "method": "agent", "params": {"prompt": "hello"}}
            stdin.write(json.dumps(message) + "\n")
            stdin.flush()
            json.loads(stdout.readline())
        wall = time.perf_counter() - began
        return {"wall": wall / count * 1e6, "cpu": since(cpu).all / count * 1e6}
