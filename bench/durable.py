"""What durable runs cost, and how fast they come back: replay, waking, the journal, many runs at once.

    python bench/durable.py [--calls N] [--rounds N] [--postgres ADDRESS] [--only WORDS]

Each table asks its contenders in turns, because a ratio of one session says more than two figures of two. The
disk's own time is measured beside the journal, by appends of as many bytes, each followed by fdatasync(2), in
the same folder and the same minute. ADDRESS is of a server that is this script's alone, as libpq has it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import trio
from tables.clock import Clock
from tables.markdown import table

from flowcage.host import AgentAnswer, AgentCall, RunOptions, Zygote
from flowcage.host.durable.journal import Journal
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.records import NewRun, NewWorkflow, RunRecord
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume import cage
from flowcage.host.resume.cage import replayed
from flowcage.host.resume.fold import history_of
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.run.core.inputs import Answered, Said, Turn
from flowcage.host.run.core.rules import Rules
from flowcage.host.run.past.telling import Telling
from flowcage.host.run.run import Run
from flowcage.protocol.messages import AgentRequest

SEQUENTIAL = """let size = 0;
for (let i = 0; i < args.n; i++) {
  size += (await agent('question number ' + i + ' about the topic at hand', {label: 'q' + i})).length;
}
return args.waits ? await agent('last') : size;"""
PARALLEL = """const all = await parallel(Array.from({length: args.n}, (_, i) =>
  () => agent('question number ' + i + ' about the topic at hand', {label: 'q' + i})));
return args.waits ? await agent('last') : all.length;"""
SOURCES = {"one after the other": SEQUENTIAL, "in parallel": PARALLEL}
ANSWER = "an answer of some length, as a model would give it. " * 4
RUNS_AT_ONCE = 100
WOKEN = (0, 10, 100, 1000)
MS = 1000


async def answer(_call: AgentCall) -> AgentAnswer:
    """An agent that takes no time."""
    return AgentAnswer(ANSWER, tokens=3)


def options(launcher: Zygote, agent: Any = answer) -> RunOptions:
    """For a run with any number of calls."""
    return RunOptions(agent=agent, launcher=launcher, max_total_agents=10**6)


async def kept(folder: Path, source: str, calls: int, zygote: Zygote, *, waits: bool = False) -> str:
    """The store of a run that was carried out, or waits for its last answer; its file."""
    path = folder / f"{uuid4()}.db"
    store = await trio.to_thread.run_sync(partial(SqliteStore.open, path, durability="relaxed"))
    try:
        with trio.CancelScope() as scope:

            async def agent(call: AgentCall) -> AgentAnswer:
                if call.prompt == "last":
                    scope.cancel()
                    await trio.sleep_forever()
                return await answer(call)

            given = options(zygote, agent)
            run = await begin(store, "run", source, "w.js", {"n": calls, "waits": waits}, given)
            await run.execute(run.run(given))
    finally:
        await store.aclose()
    return str(path)


# ---- replay ----------------------------------------------------------------------------------


def _older(channel: Any, methods: Any) -> Telling:
    return Telling(channel, set(methods) - {"replay"})


async def replays(folder: Path, zygote: Zygote, sizes: tuple[int, ...], rounds: int) -> str:
    """Live, without a store; by messages of one turn; by `replay`. Then reading and folding the log."""
    rows = []
    for size in sizes:
        for name, source in SOURCES.items():
            path = await kept(folder, source, size, zygote)
            clocks = [Clock() for _ in range(4)]
            for _ in range(rounds):
                with clocks[0].round():
                    await Run(options(zygote), "w.js").execute(source, {"n": size})
                with clocks[3].round():
                    record = await _loaded(path)
                    past = history_of(record).workflows[""]
                for clock, telling in zip(clocks[1:3], (_older, Telling), strict=True):
                    setattr(cage, "Telling", telling)  # noqa: B010 - the module does not export it
                    with clock.round():
                        told = await replayed(past, options(zygote))
                    assert told.compared == len(past.replies)
            cells = [cell for clock in clocks for cell in clock.cells(size)]
            rows.append([f"{size:,} {name}", *cells])
    head = ["", "live, ms", "µs", "turn by turn, ms", "µs", "`replay`, ms", "µs", "log read, ms", "µs"]
    return table(head, rows)


async def _loaded(path: str) -> RunRecord:
    store = await trio.to_thread.run_sync(partial(SqliteStore.open, Path(path), read_only=True))
    try:
        return await store.load("run")
    finally:
        await store.aclose()


# ---- waking ----------------------------------------------------------------------------------


async def wakes(folder: Path, zygote: Zygote, rounds: int) -> str:
    """From the claim of a run until its agent is asked again."""
    rows = []
    for size in WOKEN:
        cells = []
        for source in SOURCES.values():
            path, clock = await kept(folder, source, size, zygote, waits=True), Clock()
            store = await trio.to_thread.run_sync(partial(SqliteStore.open, Path(path)))
            for _ in range(rounds):
                await _wake(store, zygote, clock)
            await store.aclose()
            cells += clock.cells(size)
        rows.append([f"{size:,}", *cells])
    return table(["answers", "one after the other, ms", "µs", "in parallel, ms", "µs"], rows)


async def _wake(store: SqlStore, zygote: Zygote, clock: Clock) -> None:
    with trio.CancelScope() as scope:
        began = clock.round()
        began.__enter__()

        async def agent(call: AgentCall) -> AgentAnswer:
            assert call.interrupted
            began.__exit__(None, None, None)
            scope.cancel()
            await trio.sleep_forever()
            raise AssertionError

        given = options(zygote, agent)
        run = await take_up(store, "run")
        await run.execute(run.run(given))


# ---- the journal -----------------------------------------------------------------------------


def fdatasync_ms(folder: Path, count: int = 200) -> float:
    """An append of as many bytes as a call takes in the log, and fdatasync."""
    times = []
    with (folder / "appended").open("wb", buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(b"x" * 500)
            os.fdatasync(file.fileno())
            times.append(MS * (time.perf_counter() - began))
    return median(times)


async def journals(folder: Path, zygote: Zygote, calls: int, rounds: int, postgres: str) -> str:
    """A sequential call with each store, beside the disk."""
    opened: dict[str, Callable[[], SqlStore]] = {
        "SQLite, full": partial(SqliteStore.open, folder / "full.db"),
        "SQLite, relaxed": partial(SqliteStore.open, folder / "relaxed.db", durability="relaxed"),
    }
    if postgres:
        opened["Postgres"] = partial(PostgresStore.open, postgres, schema=f"bench_{uuid4().hex[:8]}")
    stores = {name: await trio.to_thread.run_sync(make) for name, make in opened.items()}
    clocks, disk = {name: Clock() for name in ("none", *stores)}, []
    for _ in range(rounds):
        disk.append(await trio.to_thread.run_sync(fdatasync_ms, folder))
        for name, clock in clocks.items():
            run = await _run_of(stores.get(name), zygote, calls)
            with clock.round():
                await run()
    rows, bare = [["one fdatasync", f"{median(disk):.3f}", "", ""]], median(clocks["none"].wall) / calls
    for name, clock in clocks.items():
        each = median(clock.wall) / calls
        rows.append([name, f"{each:.3f}", f"{each - bare:.3f}", clock.cells(calls)[1]])
    for store in stores.values():
        await store.aclose()
    bound = 1.5 * median(disk) + 0.3
    cost = median(clocks["SQLite, full"].wall) / calls - bare
    goal = f"at most 1.5 times one fdatasync and 0.3 ms, {bound:.3f} ms: {'yes' if cost <= bound else 'no'}"
    return f"{table(['a call', 'ms', 'of these the journal', 'CPU, µs'], rows)}\n\nGoal, SQLite full: {goal}"


async def _run_of(store: SqlStore | None, zygote: Zygote, calls: int) -> Callable[[], Awaitable[Any]]:
    given, args = options(zygote), {"n": calls}
    if store is None:
        return partial(Run(given, "w.js").execute, SEQUENTIAL, args)
    run = await begin(store, str(uuid4()), SEQUENTIAL, "w.js", args, given)
    return partial(run.execute, run.run(given))


# ---- many at once ----------------------------------------------------------------------------


async def at_once(folder: Path, zygote: Zygote, calls: int) -> str:
    """100 runs at once: whole ones, and their steps in the store alone."""
    store = await trio.to_thread.run_sync(partial(SqliteStore.open, folder / "many.db"))
    rows = []
    for name, kept_in in (("whole runs, no store", None), ("whole runs, SQLite full", store)):
        works = [await _run_of(kept_in, zygote, calls) for _ in range(RUNS_AT_ONCE)]
        rows.append([name, f"{RUNS_AT_ONCE * calls / await _seconds(works):,.0f}"])
    writers = [partial(_steps, store, str(uuid4()), calls) for _ in range(RUNS_AT_ONCE)]
    steps = RUNS_AT_ONCE * calls / await _seconds(writers)
    rows.append(["their steps in the store alone", f"{steps:,.0f}"])
    await store.aclose()
    goal = f"at least 5,000 steps a second in the store: {'yes' if steps >= 5000 else 'no'}"
    return f"{table(['', 'steps a second'], rows)}\n\nGoal: {goal}"


async def _seconds(works: Sequence[Callable[[], Awaitable[Any]]]) -> float:
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for work in works:
            nursery.start_soon(work)
    return trio.current_time() - began


async def _steps(store: SqlStore, run_id: str, count: int) -> None:
    created = await store.create(NewRun(run_id, "", Rules(), NewWorkflow("", SEQUENTIAL, "w.js")))
    assert created.epoch is not None
    journal = Journal(store, run_id, created.epoch)
    for number in range(1, count + 1):
        journal.record(1.0, Answered(str(number), ANSWER))
        journal.record(1.0, Turn(""))
        journal.record(1.0, Said("", (), [AgentRequest(str(number + 1), f"question number {number}")]))
        await journal.flush()


async def measure(given: argparse.Namespace) -> None:
    """Print the tables."""
    zygote = Zygote()
    sizes = (given.calls, 10 * given.calls)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        tables: dict[str, Callable[[], Awaitable[str]]] = {
            "replay": lambda: replays(folder, zygote, sizes, given.rounds),
            "wake": lambda: wakes(folder, zygote, given.rounds),
            "journal": lambda: journals(folder, zygote, given.calls, given.rounds, given.postgres),
            "at once": lambda: at_once(folder, zygote, given.calls // 10),
        }
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; µs are CPU of host and child a call")
        for title, make in tables.items():
            if given.only in title:
                print(f"\n{await make()}", flush=True)
    await zygote.aclose()


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", help="on the disk that is measured; left out, that of temporary files")
    trio.run(measure, parser.parse_args())


if __name__ == "__main__":
    main()
