"""The CPU of a trivial run and of a round trip, by process, and the cost of copying a page.

python bench/cost.py [runs]
"""

from __future__ import annotations

import os
import resource
import sys
import time

import psutil
import trio

from flowcage.host import AgentAnswer, AgentCall, Host, RunOptions, TenantLimits, run_workflow

PLENTY = TenantLimits(runs_per_minute=10**7, cpu_seconds_per_minute=10**6)
PAGE_BYTES = 4096
PAGES = 4_000
MOST_RUNS = 900


async def trivial_runs(count: int) -> None:
    """Print milliseconds of CPU and page faults of a trivial run: the mean of so many in a row."""
    async with Host(default=PLENTY) as host:
        for _ in range(20):
            await host.run("export default 1")
        zygote = psutil.Process(min(process.pid for process in psutil.Process().children()))
        own, before, warm = (
            time.process_time(),
            resource.getrusage(resource.RUSAGE_CHILDREN),
            zygote.cpu_times(),
        )
        for _ in range(count):
            await host.run("export default 1")
        after, cold = resource.getrusage(resource.RUSAGE_CHILDREN), zygote.cpu_times()
        spent = {
            "host": time.process_time() - own,
            "zygote": cold.user + cold.system - warm.user - warm.system,
            "child, user": after.ru_utime - before.ru_utime,
            "child, system": after.ru_stime - before.ru_stime,
        }
    print(f"a trivial run; ms of CPU, mean of {count}")
    for name, seconds in spent.items():
        print(f"{name:<28}{seconds / count * 1000:>8.2f}")
    print(f"{'page faults of the child':<28}{(after.ru_minflt - before.ru_minflt) / count:>8.0f}")


async def round_trips(count: int) -> None:
    """Print microseconds of CPU of a round trip: the mean of so many answers that one workflow awaits."""

    async def answer(call: AgentCall) -> AgentAnswer:
        return AgentAnswer(call.prompt)

    source = f"for (let i = 0; i < {count}; i++) await agent('hello'); export default 1"
    own = time.process_time()
    outcome = await run_workflow(source, options=RunOptions(agent=answer, max_total_agents=count))
    host = time.process_time() - own
    child = outcome.usage.user_cpu_seconds + outcome.usage.system_cpu_seconds
    print(f"\na round trip; µs of CPU, mean of {count}")
    print(f"{'host':<28}{host / count * 1e6:>8.0f}\n{'child':<28}{child / count * 1e6:>8.0f}")


def copied_pages() -> None:
    """Print what it costs a forked process to write to a page that it shares with its parent."""
    memory = bytearray(PAGES * PAGE_BYTES)
    memory[::PAGE_BYTES] = b"x" * PAGES
    reading, writing = os.pipe()
    if os.fork() == 0:
        began = time.perf_counter()
        memory[::PAGE_BYTES] = b"y" * PAGES
        os.write(writing, f"{(time.perf_counter() - began) / PAGES * 1e6:.2f}".encode())
        os._exit(0)
    print(f"\na page that is copied, µs{'':<3}{os.read(reading, 100).decode():>8}")
    os.wait()


def main() -> None:
    """Print all tables."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    if count > MOST_RUNS:
        sys.exit(f"at most {MOST_RUNS} runs: after that the zygote that is timed would be replaced")
    trio.run(trivial_runs, count)
    trio.run(round_trips, 4 * count)
    copied_pages()


if __name__ == "__main__":
    main()
