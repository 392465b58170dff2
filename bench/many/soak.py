"""Fifty thousand runs in one host, then a thousand that wait at once: does memory grow, is anything left?

    python bench/many/soak.py [runs] [waiting]

Prints the memory of host and zygote after a warm-up and after each tenth, how far it has grown since the
first tenth, until when allocators and caches fill, and what is left at the end. Exit status 1 where a result
is wrong, or a process or a descriptor is left.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import trio

from flowcage.host import AgentAnswer, AgentCall, Handlers, Host, TenantLimits

PLENTY = TenantLimits(
    max_runs=2_000, max_agents=2_000, runs_per_minute=10**7, cpu_seconds_per_minute=10**6, max_queued=10_000
)
AT_ONCE = 8
REPORTS = 10
MOST_GROWTH = 0.02


def resident(pid: int) -> float:
    """MiB of anonymous memory (proc(5), RssAnon)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


def zygote_of(children: list[psutil.Process]) -> int:
    """The process id of the zygote, which is the oldest child."""
    return min(children, key=lambda process: process.create_time()).pid


class Soak:
    """One host under load.

    Attributes:
        wrong: runs with another result than expected.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.wrong = 0
        self._left = 0

    async def trivial(self, count: int) -> None:
        """Make so many runs, each with a result of its own, `AT_ONCE` at a time."""
        self._left = count
        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                nursery.start_soon(self._work)

    async def _work(self) -> None:
        while self._left:
            self._left -= 1
            number = self._left
            outcome = await self.host.run("export default args.n * 2", args={"n": number})
            self.wrong += outcome.result != number * 2

    async def waiting(self, count: int) -> None:
        """Make so many runs at once that wait for an agent, and then let them end."""
        opened, begun = trio.Event(), 0

        async def wait(call: AgentCall) -> AgentAnswer:
            nonlocal begun
            begun += 1
            if begun == count:
                opened.set()
            await opened.wait()
            return AgentAnswer(call.prompt)

        async def one(number: int) -> None:
            source = f"export default agent('{number}')"
            outcome = await self.host.run(source, handlers=Handlers(agent=wait))
            self.wrong += outcome.result != str(number)

        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(one, number)


async def soak(runs: int, waiting: int) -> int:
    """Run everything, print the table, and return the number of wrong outcomes."""
    own = os.getpid()
    print(f"{'runs':>8}{'seconds':>10}{'host MiB':>10}{'zygote MiB':>12}{'descriptors':>13}{'children':>10}")
    async with Host(default=PLENTY) as host:
        load = Soak(host)
        began = time.perf_counter()
        memory: list[tuple[float, float]] = []
        for part in range(REPORTS + 1):
            await load.trivial(runs // REPORTS if part else 500)
            children = psutil.Process().children()
            memory.append((resident(own), resident(zygote_of(children))))
            done = host.statistics().runs.by_verdict
            print(
                f"{sum(done.values()):>8}{time.perf_counter() - began:>10.1f}{memory[-1][0]:>10.1f}"
                f"{memory[-1][1]:>12.1f}{len(os.listdir('/proc/self/fd')):>13}{len(children):>10}",
                flush=True,
            )
        _print_growth(memory)
        await load.waiting(waiting)
        print(f"{waiting} waited at once, and ended; the host has {resident(own):.1f} MiB now")
    return load.wrong


def _print_growth(memory: list[tuple[float, float]]) -> None:
    host, zygote = (last / first - 1 for first, last in zip(memory[1], memory[-1], strict=True))
    is_flat = max(host, zygote) <= MOST_GROWTH
    print(f"memory since the first tenth: host {host:+.1%}, zygote {zygote:+.1%}")
    print(f"Goal: at most {MOST_GROWTH:+.0%}: {'yes' if is_flat else 'no'}")


def main() -> None:
    """Print the table and what is left."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    waiting = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
    before = len(os.listdir("/proc/self/fd"))
    wrong = trio.run(soak, runs, waiting)
    children, descriptors = len(psutil.Process().children()), len(os.listdir("/proc/self/fd")) - before
    print(f"wrong outcomes: {wrong}; processes left: {children}; descriptors left: {descriptors}")
    sys.exit(1 if wrong or children or descriptors else 0)


if __name__ == "__main__":
    main()
