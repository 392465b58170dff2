"""What is profiled: trivial runs in a host, and round trips of one run.

    python workloads.py runs|trips COUNT [CONTROL ACKNOWLEDGED]

As a program it prints one JSON object: the processes and the CPU that the kernel has counted for each, in
seconds. The two fifos are those of ``perf record --control``: samples are taken of the warm part only.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import psutil
import trio

from flowcage.host import AgentAnswer, AgentCall, Host, RunOptions, TenantLimits, run_workflow

PLENTY = TenantLimits(runs_per_minute=10**7, cpu_seconds_per_minute=10**6)
WARM_RUNS, WARM_TRIPS = 20, 300
# Called with True as the warm part begins, and with False as it ends.
Mark: TypeAlias = Callable[[bool], None]


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def runs(count: int, mark: Mark) -> dict[str, Any]:
    """So many trivial runs, one after the other, in a host."""
    async with Host(default=PLENTY) as host:
        for _ in range(WARM_RUNS):
            await host.run("export default 1")
        zygote = psutil.Process(min(process.pid for process in psutil.Process().children()))
        faults = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
        before = time.process_time(), _cpu(zygote), _children()
        mark(True)
        for _ in range(count):
            await host.run("export default 1")
        mark(False)
        after = time.process_time(), _cpu(zygote), _children()
        faults = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt - faults
    seconds = [end - begin for begin, end in zip(before, after, strict=True)]
    return {"host": seconds[0], "zygote": seconds[1], "child": seconds[2], "faults": faults, "of": zygote.pid}


async def trips(count: int, mark: Mark) -> dict[str, Any]:
    """One run, whose workflow awaits so many answers, one after the other."""
    marks: list[tuple[float, float]] = []

    async def answer(call: AgentCall) -> AgentAnswer:
        number = int(call.id) - WARM_TRIPS
        if number in (0, count):
            (child,) = psutil.Process().children()
            marks.append((time.process_time(), _cpu(child)))
            mark(number == 0)
        return AgentAnswer(call.prompt)

    every = WARM_TRIPS + count
    source = f"for (let i = 0; i < {every}; i++) await agent('hello'); export default 1"
    await run_workflow(source, options=RunOptions(agent=answer, max_total_agents=every))
    (own, child), (own_after, child_after) = marks
    return {"host": own_after - own, "zygote": 0.0, "child": child_after - child, "faults": 0, "of": 0}


WORKLOADS: dict[str, Callable[[int, Mark], Awaitable[dict[str, Any]]]] = {"runs": runs, "trips": trips}


def _marking(control: str, acknowledged: str) -> Mark:
    writing, reading = os.open(control, os.O_WRONLY), os.open(acknowledged, os.O_RDWR)

    def mark(begins: bool) -> None:
        os.write(writing, b"enable\n" if begins else b"disable\n")
        os.read(reading, 64)

    return mark


def main() -> None:
    """Carry one out."""
    name, count, *fifos = sys.argv[1:]
    mark: Mark = _marking(*fifos) if fifos else lambda _begins: None
    figures = trio.run(WORKLOADS[name], int(count), mark)
    print(json.dumps(figures | {"pid": os.getpid()}))


if __name__ == "__main__":
    main()
