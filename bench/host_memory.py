"""The memory of a waiting run, and its cost when there are more of them. Part of bench/host.py."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import trio
from host_peers import PLENTY, TRIVIAL, commands, monty, table

from flowcage.host import AgentAnswer, AgentCall, Handlers, Host, Spawn, Zygote


def pss(process: psutil.Process) -> float:
    """MiB of a process, each shared page divided by the number of its processes (proc(5), smaps_rollup)."""
    for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no Pss of {process.pid}")


async def waiting_runs(count: int, launcher: Any) -> tuple[list[float], float]:
    """PSS of each child while all wait for an agent, and the ms from begin to end of a run."""
    opened, waiting = trio.Event(), 0
    measured: list[float] = []

    async def wait(call: AgentCall) -> AgentAnswer:
        nonlocal waiting
        waiting += 1
        if waiting == count:
            with suppress(ProcessLookupError):  # a spare may start or end meanwhile
                measured.extend(pss(child) for child in psutil.Process().children()[1:51])
            opened.set()
        await opened.wait()
        return AgentAnswer(call.prompt)

    async with Host(default=PLENTY, launcher=launcher) as host:
        await host.run(TRIVIAL)
        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(
                    lambda: host.run("export default agent('x')", handlers=Handlers(agent=wait))
                )
        return measured, (time.perf_counter() - began) / count * 1000


def peers_memory(folder: Path) -> dict[str, list[float]]:
    """PSS of processes that wait for a timer."""
    rows: dict[str, list[float]] = {}
    for name, command in commands(folder, "console.log(1); setInterval(() => {}, 1e6);").items():
        running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(20)]
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        rows[name] = [pss(psutil.Process(process.pid)) for process in running]
        for process in running:
            process.kill()
            process.communicate()
    if (module := monty()) is not None:
        with module.Monty(max_processes=20) as pool, ExitStack() as sessions:
            for _ in range(20):
                sessions.enter_context(pool.checkout()).feed_run("1")
            rows["monty, idle session"] = [pss(worker) for worker in psutil.Process().children()]
    return rows


def memory_and_growth(folder: Path) -> None:
    """Print the memory of waiting runs, and the cost of each."""
    rows, costs = {}, {}
    for count in (1, 10, 50, 100, 1000):
        measured, cost = trio.run(waiting_runs, count, Zygote)
        costs[f"{count} at once"] = [cost]
        if count in (50, 1000):
            rows[f"zygote, {count} waiting"] = measured
    rows["exec, 50 waiting"] = trio.run(waiting_runs, 50, Spawn)[0]
    table("memory of a waiting run (PSS)", "MiB", rows | peers_memory(folder))
    table("one run that waits for an agent, from call to outcome, as there are more", "ms a run", costs)
