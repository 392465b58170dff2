"""Many runs on one machine, beside a process of node or deno for each run, and a fresh worker of monty.

    python bench/host.py [rounds]

Prints a table for each question: how long a trivial run takes, how many there are in a second, what a round
trip to the host takes, how much memory a waiting run has, and what one run costs when there are more of them
at once. Peers that are not installed are left out: ``pip install pydantic-monty deno``; node is looked up on
the path.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from host_memory import memory_and_growth
from host_peers import PLENTY, TRIVIAL, commands, monty, table

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Host,
    RunOptions,
    Spawn,
    Zygote,
    run_workflow,
)

CORES = len(os.sched_getaffinity(0))
ROUND_TRIPS = 900  # monty suspends a script a thousand times at most


async def answer(call: AgentCall) -> AgentAnswer:
    """The cheapest agent: it returns the prompt."""
    return AgentAnswer(call.prompt)


async def milliseconds(call: Callable[[], Awaitable[object]]) -> float:
    """The duration of a call."""
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000


async def trivial_runs(rounds: int, folder: Path) -> None:
    """Print the time from the call to the outcome, with the child reaped."""
    zygote, module = Zygote(), monty()
    with ExitStack() as stack:
        async with Host(default=PLENTY) as host:
            contenders: dict[str, Callable[[], Awaitable[object]]] = {
                "Host (zygote and reserve)": lambda: host.run(TRIVIAL),
                "zygote": lambda: run_workflow(TRIVIAL, options=RunOptions(launcher=zygote)),
                "exec": lambda: run_workflow(TRIVIAL, options=RunOptions(launcher=Spawn())),
            }
            for name, command in commands(folder, TRIVIAL).items():
                contenders[name] = partial(trio.run_process, command)
            if module is not None:
                pool = stack.enter_context(module.Monty(max_checkouts_per_worker=1))

                async def fresh_worker() -> None:
                    with pool.checkout() as session:
                        session.feed_run("1")

                contenders["monty, fresh worker"] = fresh_worker
            times: dict[str, list[float]] = {name: [] for name in contenders}
            for number in range(rounds + 3):
                for name, call in contenders.items():
                    taken = await milliseconds(call)
                    if number >= 3:
                        times[name].append(taken)
    await zygote.aclose()
    table("a trivial run", f"ms, {rounds} rounds", times)


async def hosts_runs(count: int, at_once: int) -> None:
    """Make so many trivial runs in one host."""
    async with Host(default=PLENTY) as host:

        async def worker(share: int) -> None:
            for _ in range(share):
                await host.run(TRIVIAL)

        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(worker, count // at_once)


def per_second(count: int, run: Callable[[], object]) -> float:
    """Runs a second, where `run` makes so many."""
    began = time.perf_counter()
    run()
    return count / (time.perf_counter() - began)


def throughput(rounds: int, folder: Path) -> None:
    """Print runs a second with all cores busy; a host is one process, so there is one for each core."""
    share = [sys.executable, __file__, "--share", "300"]

    def one_host_per_core() -> None:
        for process in [subprocess.Popen(share) for _ in range(CORES)]:
            process.wait()

    def processes(command: list[str]) -> None:
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(lambda _: subprocess.run(command, check=True), range(60)))

    def fresh_workers(module: Any) -> None:
        with (
            module.Monty(max_checkouts_per_worker=1, max_processes=2 * CORES) as workers,
            ThreadPoolExecutor(2 * CORES) as pool,
        ):

            def one(_: int) -> None:
                with workers.checkout() as session:
                    session.feed_run("1")

            list(pool.map(one, range(1000)))

    contenders: dict[str, Callable[[], float]] = {
        "a host for each core": lambda: per_second(300 * CORES, one_host_per_core),
        "one host": lambda: per_second(480, lambda: trio.run(hosts_runs, 480, 8)),
    }
    for name, command in commands(folder, TRIVIAL).items():
        contenders[name] = partial(per_second, 60, partial(processes, command))
    if (module := monty()) is not None:
        contenders["monty, fresh workers"] = lambda: per_second(1000, lambda: fresh_workers(module))
    rates = {name: [call() for _ in range(rounds)] for name, call in contenders.items()}
    table(
        f"trivial runs in a second, {CORES} cores, start of the host included",
        "runs",
        rates,
        more_is_better=True,
    )


PING_PONG = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    reply = {"jsonrpc": "2.0", "id": message["id"], "result": message["params"]}
    sys.stdout.write(json.dumps(reply) + "\\n")
    sys.stdout.flush()
"""


def ping_pong() -> float:
    """Microseconds of a blocking JSON exchange between two Python processes."""
    import json

    with subprocess.Popen(
        [sys.executable, "-c", PING_PONG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        for number in range(-100, ROUND_TRIPS):
            if number == 0:
                began = time.perf_counter()
            message = {"jsonrpc": "2.0", "id": number, "method": "agent", "params": {"prompt": "hello"}}
            peer.stdin.write(json.dumps(message) + "\n")
            peer.stdin.flush()
            json.loads(peer.stdout.readline())
        return (time.perf_counter() - began) / ROUND_TRIPS * 1e6


async def agents_in_a_row() -> float:
    """Microseconds from one answer of the host to the next request of the same workflow."""
    source = f"for (let i = 0; i < {ROUND_TRIPS}; i++) await agent('hello'); export default 1"
    began = 0.0

    async def timed(call: AgentCall) -> AgentAnswer:
        nonlocal began
        began = began or time.perf_counter()
        return AgentAnswer(call.prompt)

    await run_workflow(source, options=RunOptions(agent=timed, max_total_agents=ROUND_TRIPS))
    return (time.perf_counter() - began) / ROUND_TRIPS * 1e6


def montys_calls(module: Any) -> float:
    """Microseconds of a call of an external function from a script of monty."""
    with module.Monty() as pool, pool.checkout() as session:
        code = f"[f('hello') for _ in range({ROUND_TRIPS})]"
        session.feed_run("f('hello')", external_lookup={"f": lambda text: text})
        began = time.perf_counter()
        session.feed_run(code, external_lookup={"f": lambda text: text})
        return (time.perf_counter() - began) / ROUND_TRIPS * 1e6


@contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """Bind this process, and what it starts, to these cores for the length of the block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def round_trips(rounds: int) -> None:
    """Print the time of a round trip, also with all processes on one core, which saves waking another."""
    all_cores = sorted(os.sched_getaffinity(0))
    for cores in (set(all_cores[:1]), set(all_cores[:2])):
        with pinned(cores):
            contenders: dict[str, Callable[[], float]] = {
                "flowcage agent()": lambda: trio.run(agents_in_a_row),
                "JSON ping-pong, two Pythons": ping_pong,
            }
            if (module := monty()) is not None:
                contenders["monty external function"] = lambda: montys_calls(module)
            times: dict[str, list[float]] = {name: [] for name in contenders}
            for _ in range(rounds):
                for name, call in contenders.items():
                    times[name].append(call())
        table(f"round trip, pinned to {len(cores)} core(s)", "µs", times)


def main() -> None:
    """Print all tables."""
    if sys.argv[1:2] == ["--share"]:
        trio.run(hosts_runs, int(sys.argv[2]), 4)
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trio.run(trivial_runs, rounds, folder)
        throughput(max(3, rounds // 10), folder)
        round_trips(max(3, rounds // 10))
        memory_and_growth(folder)


if __name__ == "__main__":
    main()
