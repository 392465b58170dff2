"""One worker of a cluster that a test kills:

    python -m tests.cluster.member ADDRESS LOG NAME

Its agents write each call to the file LOG before they answer: which it is, with which epoch its host has the
run, and a number that no other call has, with which their answer begins. Some answers are large. The keys of
the store are beside the file, if it has some.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import trio

from flowcage import AgentAnswer, AgentCall, Host, RunOptions, Worker
from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.records import EncodedEntry
from flowcage.host.durable.ticket import Ticket
from flowcage.host.run.past.hibernation import Hibernation

from . import vault

SLOTS = 16
POISON = "poison"  # whoever is asked this dies
NAPS = Hibernation(idle_seconds=0.2, min_wait_seconds=0.2, cpu_factor=0, nap_seconds=1)
LONGEST_CALL_S = 0.5
GRACE_S = 1.0
_LARGE = 70_000  # characters of an answer that is kept out of line


class NotingStore(PostgresStore):
    """Knows with which epoch each run was written last."""

    epochs: ClassVar[dict[str, int]] = {}  # a worker has one store

    def append(
        self, run_id: str, epoch: int, seq: int, entries: Sequence[EncodedEntry], took: Sequence[str] = ()
    ) -> Ticket[None]:
        self.epochs[run_id] = epoch
        return super().append(run_id, epoch, seq, entries, took)


async def opened(address: str, folder: Path) -> PostgresStore:
    """The store, as soon as the server is there."""
    server, _, schema = address.partition("|")
    options = vault.options(folder)
    while True:
        try:
            return await trio.to_thread.run_sync(
                lambda: NotingStore.open(server, options, schema=schema, makes=False)
            )
        except StoreFailed:
            await trio.sleep(0.2)


class Agents:
    """Those of one worker."""

    def __init__(self, log: Path, name: str) -> None:
        self._name = name
        self._log = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._rng = random.Random(name)
        self._count = 0

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self._count += 1
        number = f"{self._name}/{self._count}"
        epoch = NotingStore.epochs[call.run_id]
        self._note("ask", call.run_id, call.idempotency_key, epoch, number, call.interrupted)
        if call.prompt == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        await trio.sleep(self._rng.uniform(0, LONGEST_CALL_S))
        return AgentAnswer(number + self._padding(), tokens=1)

    def _padding(self) -> str:
        return f" {vault.SECRET} {self._rng.randbytes(_LARGE // 2).hex()}" if self._rng.random() < 0.2 else ""

    def _note(self, *words: object) -> None:
        os.write(self._log, json.dumps(words).encode() + b"\n")


async def main(address: str, log: Path, name: str) -> None:
    store = await opened(address, log.parent)
    options = RunOptions(agent=Agents(log, name), timeout_seconds=3_600)
    try:
        worker = Worker(slots=SLOTS, name=name)
        async with Host(store=store, options=options, hibernation=NAPS, worker=worker) as host:
            with trio.open_signal_receiver(signal.SIGTERM) as signals:
                print("ready", flush=True)
                async for _ in signals:
                    await host.drain(GRACE_S)
                    break
    finally:
        await store.aclose()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], Path(sys.argv[2]), sys.argv[3])
