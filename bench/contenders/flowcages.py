"""flowcage as a contender: a host with spares, a zygote without, and a child executed for each run."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import psutil
import trio
from measuring import pss, timed
from tree_cpu import Spent, begin, since

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Handlers,
    Host,
    RunOptions,
    Spawn,
    TenantLimits,
    Zygote,
    run_workflow,
)

PLENTY = TenantLimits(
    max_runs=2_000, max_agents=20_000, runs_per_minute=10**7, cpu_seconds_per_minute=10**6, max_queued=10_000
)
TRIVIAL = "export default 1"
MEASURED = 50  # children whose memory is read


async def echo(call: AgentCall) -> AgentAnswer:
    """The cheapest agent: it returns the prompt."""
    return AgentAnswer(call.prompt)


class _Flowcage:
    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def run(self) -> None:
        """A trivial run, from the call to the outcome, with the child reaped."""
        raise NotImplementedError

    async def latency(self, count: int, pause: float) -> list[float]:
        """Milliseconds of each of so many runs, with a pause before each."""
        return [await timed(self.run, pause) for _ in range(count)]


class Exec(_Flowcage):
    """A child is executed for each run."""

    launcher: Any = None

    async def run(self) -> None:
        await run_workflow(TRIVIAL, options=RunOptions(launcher=self.launcher or Spawn()))


class ZygoteOnly(Exec):
    """A child is forked for each run, when it begins."""

    async def __aenter__(self) -> ZygoteOnly:
        self.launcher = Zygote()
        await self.run()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.launcher.aclose()


class HostSide(_Flowcage):
    """A host with one tenant."""

    async def __aenter__(self) -> HostSide:
        self._host = Host(default=PLENTY)
        await self._host.__aenter__()
        await self.run()
        return self

    async def __aexit__(self, *reason: Any) -> None:
        await self._host.__aexit__(*reason)

    async def run(self) -> None:
        await self._host.run(TRIVIAL)

    async def cost(self, count: int) -> float:
        """Milliseconds of CPU of a run, of host, zygote and child: the mean of so many in a row."""
        begun = begin()
        for _ in range(count):
            await self.run()
        return since(begun).all / count * 1000

    async def rate(self, count: int, at_once: int) -> float:
        """Runs a second, where the host has been running."""
        began = time.perf_counter()
        await self._many(self._host, count, at_once)
        return count / (time.perf_counter() - began)

    async def rate_with_start(self, count: int, at_once: int) -> float:
        """Runs a second, with the start of a host and its end in the time."""
        began = time.perf_counter()
        async with Host(default=PLENTY) as host:
            await self._many(host, count, at_once)
        return count / (time.perf_counter() - began)

    async def _many(self, host: Host, count: int, at_once: int) -> None:
        async def worker() -> None:
            for _ in range(count // at_once):
                await host.run(TRIVIAL)

        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(worker)

    async def round_trip(self, count: int) -> dict[str, float]:
        """Microseconds from one answer to the next request of the same run; wall clock, and CPU of all."""
        began, cpu = 0.0, Spent(0, 0)

        async def first_is_timed(call: AgentCall) -> AgentAnswer:
            nonlocal began, cpu
            if not began:
                cpu, began = begin(), time.perf_counter()
            return AgentAnswer(call.prompt)

        source = f"for (let i = 0; i < {count}; i++) await agent('hello'); export default 1"
        await self._host.run(source, options=RunOptions(agent=first_is_timed, max_total_agents=count))
        wall = time.perf_counter() - began
        return {"wall": wall / count * 1e6, "cpu": since(cpu).all / count * 1e6}

    async def memory(self, count: int) -> list[float]:
        """MiB (PSS) of the children of runs that wait for an agent, so many at once."""
        return (await self._waiting(count))[0]

    async def waiting(self, count: int) -> dict[str, float]:
        """Milliseconds of CPU of a run that waits for an agent: of the host, and of zygote and child."""
        _, spent = await self._waiting(count)
        return {"host": spent.own / count * 1000, "children": spent.below / count * 1000}

    async def _waiting(self, count: int) -> tuple[list[float], Spent]:
        opened, waiting = trio.Event(), 0
        measured: list[float] = []
        reading = 0.0

        async def wait(call: AgentCall) -> AgentAnswer:
            nonlocal waiting, reading
            waiting += 1
            if waiting == count:
                before = time.process_time()
                measured.extend(_memory_of_children())
                reading = time.process_time() - before
                opened.set()
            await opened.wait()
            return AgentAnswer(call.prompt)

        source, handlers = "export default agent('x')", Handlers(agent=wait)
        begun = begin()
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(lambda: self._host.run(source, handlers=handlers))
        spent = since(begun)
        return measured, spent._replace(own=spent.own - reading)

    async def outstanding(self, count: int) -> dict[str, float]:
        """Microseconds of CPU of a request, where one run has so many at once; the run itself is included."""
        source = (
            f"const tasks = Array.from({{ length: {count} }}, (_, i) => () => agent(`task ${{i}}`));"
            "export default (await parallel(tasks)).length"
        )
        options = RunOptions(agent=echo, max_total_agents=count)
        begun = begin()
        outcome = await self._host.run(source, options=options)
        spent = since(begun)
        if outcome.result != count:
            raise SystemExit(f"answers were lost: {outcome.result} of {count}")
        return {"host": spent.own / count * 1e6, "children": spent.below / count * 1e6}


def _memory_of_children() -> list[float]:
    found: list[float] = []
    for child in psutil.Process().children()[1 : MEASURED + 1]:  # the first is the zygote
        with suppress(OSError):  # a spare may end meanwhile
            found.append(pss(child.pid))
    return found
