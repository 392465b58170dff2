"""What runs cost that are asleep in a store, and what it costs to wake them.

    python bench/many/sleepers.py [runs] [woken]

A host starts 10,000 runs that ask one agent and then sleep for a month, and a thousand that sleep for a day;
the clock of its store is set on by a day, and these are woken and carried out to their end. Memory is that of
the host and of all of its processes (PSS), beside the same host when it had carried out a thousand runs.
CPU is that of the host with its children: the clock on the wall is worth nothing on a busy machine.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import psutil
import trio

from flowcage import AgentAnswer, AgentCall, Hibernation, Host, RunOptions
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.records import Filter
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.tenants.started.handle import RunHandle

AT_ONCE = 50
DAY_MS = 86_400_000
SOURCE = "const a = await agent('a'); await SW.extra.sleep(args.ms); export default [a, await agent('b')];"
# The wait is long beside any CPU; a run is idle at once, so that the bench need not wait for it.
POLICY = Hibernation(idle_seconds=0, min_wait_seconds=10, cpu_factor=100)


class Clock:
    """The machine's, set on by a number of days."""

    days = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.days * DAY_MS


async def agent(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(f"<{call.prompt}>", tokens=1)


def memory_bytes() -> tuple[int, int]:
    """PSS of this process and of those below it, and how many these are."""
    processes = psutil.Process().children(recursive=True)
    total = 0
    for each in (psutil.Process(), *processes):
        try:
            total += each.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total, len(processes)


def cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usages)


async def asleep(store: SqliteStore, count: int) -> None:
    while len(await store.runs(Filter(states=("asleep",), limit=2**31))) < count:  # noqa: ASYNC110
        await trio.sleep(0.1)


async def start(host: Host, count: int, milliseconds: int) -> list[RunHandle]:
    handles = []
    for number in range(count):
        handles.append(await host.start(SOURCE, args={"ms": milliseconds, "n": number}))
        while sum(each.state in ("waiting", "running") for each in handles[-2 * AT_ONCE :]) >= AT_ONCE:  # noqa: ASYNC110
            await trio.sleep(0.01)
    return handles


async def main(count: int, woken: int, folder: Path) -> None:
    clock = Clock()
    store = SqliteStore.open(folder / "runs.db", StoreOptions(clock=clock))
    options = RunOptions(agent=agent)
    async with Host(store=store, options=options, hibernation=POLICY, max_runs=AT_ONCE) as host:
        for handle in await start(host, min(1000, count), 0):  # what a host has anyway, and its allocator
            await handle.outcome()
        before, processes = memory_bytes()
        began = cpu_seconds()
        kept = await start(host, count, 30 * DAY_MS)
        await asleep(store, count)
        to_sleep = (cpu_seconds() - began) / count
        await trio.sleep(2)  # spares are made in idle time
        after, processes_after = memory_bytes()
        short = await start(host, woken, DAY_MS)
        await asleep(store, count + woken)
        began, at = cpu_seconds(), time.perf_counter()
        clock.days += 1
        await host.run("export default 1")  # that a clock is set is no news, and the end of a run is
        for handle in short:
            assert (await handle.outcome()).result == ["<a>", "<b>"]
        each, seconds = (cpu_seconds() - began) / woken, time.perf_counter() - at
        assert {handle.state for handle in kept} == {"asleep"}
    await store.aclose()
    size = os.stat(folder / "runs.db").st_size
    print("| | |\n|---|--:|")
    print(f"| memory without sleeping runs, MB | {before / 1e6:.1f} |")
    print(f"| memory with {count:,} of them, MB | {after / 1e6:.1f} |")
    print(f"| of that, for each, kB | {(after - before) / count / 1e3:.2f} |")
    print(f"| processes below the host, before and with them | {processes}, {processes_after} |")
    print(f"| of the store's file, for each, kB | {size / (count + woken) / 1e3:.1f} |")
    print(f"| CPU from start to sleep, for each, ms | {to_sleep * 1e3:.1f} |")
    print(f"| CPU from wake to end, for each of {woken:,}, ms | {each * 1e3:.1f} |")
    print(f"| from the due time of {woken:,} to the end of the last, s | {seconds:.1f} |")


if __name__ == "__main__":
    counts = [int(word) for word in sys.argv[1:]]
    sleepers, wakers = (counts + [10_000, 1_000][len(counts) :])[:2]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        trio.run(main, sleepers, wakers, Path(name))
