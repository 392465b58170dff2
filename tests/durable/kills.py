"""Hosts that are killed while they commit, one after the other on one store, and what each leaves behind.

    python -m tests.durable.kills ADDRESS LIVES SEED

`ADDRESS` is the beginning of those of several stores, each for some of the lives.
Each life is a fork of this process. It claims the runs, appends to them, and says what it tries and what it
was told to be durable. At the nth point where it may fail, the thread that commits ends the process by
SIGKILL. What must hold of the store then: of each run, what was there before is unchanged; what is new is a
beginning of what this life tried, in its order; and nothing is missing that was durable. Prints the counts.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from typing import IO

import trio

from flowcage.host.durable.journal import Journal
from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.run.core.inputs import Answered, Input

from .other_host import opened
from .places import new

RUNS = ("a", "b", "c")
LONGEST_LIFE = 60  # points at which it may end
LIVES_OF_A_STORE = 20


def value(life: int, seq: int) -> Input:
    """What is appended; its size depends on its number, so that all forms of a payload come."""
    return Answered(str(seq), f"{life}/{seq}/" + "x" * (seq * 7919 % 4_000 if seq % 50 else 70_000))


def live(address: str, life: int, seed: int, told: IO[str]) -> None:
    """One host, until it is killed."""
    rng, left = random.Random(f"{seed}/{life}"), 0

    def fault(_point: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    left = rng.randrange(1, LONGEST_LIFE)
    store = opened(address, StoreOptions(fault=fault), "relaxed")  # a kill loses nothing that was written
    journals = [taken(store, run_id) for run_id in RUNS]
    while True:
        tickets = []
        for journal in rng.choices(journals, k=rng.randrange(1, 6)):
            for more in range(rng.randrange(1, 4)):
                journal.record(1.0, value(life, journal.seq + more))
            tickets.append((journal, journal.flush(), journal.seq))
        for journal, ticket, seq in tickets:
            ticket.wait(300)
            print(json.dumps([journal.run_id, seq]), file=told, flush=True)


def taken(store: SqlStore, run_id: str) -> Journal:
    """A run that the life before had."""
    store.create(new(run_id, start_key=run_id)).wait(300)
    summary = trio.run(store.get, run_id)
    epoch = summary.epoch if summary.owner == store.owner else store.claim(run_id).wait(300)
    until = time.monotonic() + 300
    while epoch is None:  # a server is told of the death of a client a little later
        assert time.monotonic() < until, f"the owner of {run_id} is dead"
        time.sleep(0.01)
        epoch = store.claim(run_id).wait(300)
    return Journal(store, run_id, epoch, summary.entries)


def entries_of(address: str) -> dict[str, list[Input]]:
    async def read() -> dict[str, list[Input]]:
        store = opened(address, DEFAULTS, "relaxed")
        try:
            there = [run.run_id for run in await store.runs()]
            return {run_id: [each.input for each in (await store.load(run_id)).entries] for run_id in there}
        finally:
            await store.aclose()

    return trio.run(read)


def main(address: str, lives: int, seed: int) -> None:
    counts: Counter[str] = Counter()
    for start in range(0, lives, LIVES_OF_A_STORE):
        several(f"{address}-{start}", range(start, min(lives, start + LIVES_OF_A_STORE)), seed, counts)
    print(json.dumps(counts))


def several(address: str, lives: range, seed: int, counts: Counter[str]) -> None:
    """Lives on one store."""
    known: dict[str, list[Input]] = {}
    for life in lives:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                live(address, life, seed, os.fdopen(writing, "w"))
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading) as told:
            durable = [json.loads(line) for line in told]
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status == -signal.SIGKILL, f"life {life} ended with {status}"
        now = entries_of(address)
        judge(life, known, now, durable)
        counts["kills"] += 1
        counts["durable"] += len(durable)
        counts["entries"] += sum(len(now[run]) - len(known.get(run, [])) for run in now)
        known = now


def judge(
    life: int, before: dict[str, list[Input]], now: dict[str, list[Input]], durable: list[list[str]]
) -> None:
    for run_id, entries in now.items():
        old = before.get(run_id, [])
        assert entries[: len(old)] == old, f"life {life}: what was there of {run_id} has changed"
        tried = [value(life, seq) for seq in range(len(old), len(entries))]
        assert entries[len(old) :] == tried, f"life {life}: {run_id} has what was not tried"
    for run_id, seq in durable:
        assert len(now[run_id]) >= int(seq), f"life {life}: {run_id} has lost entry {seq}"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
