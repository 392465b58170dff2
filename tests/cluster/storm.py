"""Runs that several workers carry out, while workers and the server are killed at random:

    python -m tests.cluster.storm FOLDER RUNS SECONDS SEED

For SECONDS something is struck every now and then, by SEED; then the workers have their peace, until all runs
have ended. All values are sealed, large ones are files, and those who seal anew and sweep are killed, too
(`vault`). Prints counts, or says what does not hold (`judged`).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import trio

from flowcage import AgentAnswer, AgentCall, PostgresStore, RunOptions, submit_workflow
from flowcage.host.durable.records import Filter
from tests.durable.places import ROOT

from . import vault
from .judged import Judge
from .servers import Server, server

MEMBERS = 3
SCHEMA = vault.SCHEMA
LONGEST_END_S = 600
SOURCE = (
    f"// {vault.SECRET} {'.' * 500}"
    + """
const plan = await agent('plan ' + args.n);
const parts = await parallel(['a', 'b', 'c'].map((name) => () => agent(name + ' of ' + plan)));
await SW.extra.sleep(args.sleepMs);
const more = [];
for (let i = 0; i < args.n % 3; i++) more.push(await agent('more ' + i));
export default {plan, parts, more, last: await agent('sum of ' + parts), spent: budget.spent()};"""
)
SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid() ORDER BY 1"
# Each change of a run's state or epoch, by whoever makes it.
AUDIT = f"""
CREATE TABLE public.audit(
  n BIGSERIAL PRIMARY KEY, run_id TEXT, state TEXT, verdict TEXT, epoch BIGINT, owner TEXT);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.audit(run_id, state, verdict, epoch, owner)
    VALUES(NEW.run_id, NEW.state, NEW.verdict, NEW.epoch, NEW.owner);
  RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OF state, epoch, owner ON {SCHEMA}.runs
  FOR EACH ROW EXECUTE FUNCTION public.note();
"""


async def nobody(_call: AgentCall) -> AgentAnswer:
    raise AssertionError("this process asks nobody")


class Members:
    """The workers; one that has ended is followed by another one.

    Args:
        folder: for their logs.
        address: of the store.
        most: how many there should be.

    Attributes:
        log: what their agents were asked.
        named: each that there ever was.
        keepers: those who seal anew or sweep.
    """

    def __init__(self, folder: Path, address: str, most: int) -> None:
        self._folder, self._address, self._most = folder, address, most
        self.named: dict[str, subprocess.Popen[bytes]] = {}
        self._count = 0
        self.log = folder / "asked"
        self.alive: list[subprocess.Popen[bytes]] = []
        self.keepers: list[subprocess.Popen[bytes]] = []

    def begin(self) -> None:
        self.alive.append(self._started("m", "tests.cluster.member", self._address, str(self.log)))

    def keep(self, what: str) -> None:
        """Have somebody seal anew, or sweep."""
        address = self._address.partition("|")[0]
        self.keepers.append(self._started(what, "tests.cluster.vault", address, str(self._folder), what))

    def _started(self, kind: str, *words: str) -> subprocess.Popen[bytes]:
        self._count += 1
        name = f"{kind}{self._count}"
        with (self._folder / name).open("wb") as messages:
            process = subprocess.Popen(
                [sys.executable, "-m", *words, name],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages,
            )  # fmt: skip
        self.named[name] = process
        return process

    def complete(self) -> None:
        """Have as many as there should be."""
        for started in (self.alive, self.keepers):
            for each in [each for each in started if each.poll() is not None]:
                started.remove(each)
                name = next(name for name, process in self.named.items() if process is each)
                assert each.returncode in (0, -signal.SIGKILL, -signal.SIGTERM), (
                    f"{name} ended with {each.returncode}: {(self._folder / name).read_text()[-2000:]}"
                )
        while len(self.alive) < self._most:
            self.begin()

    def end(self) -> None:
        """Kill all."""
        for each in self.alive + self.keepers:
            each.kill()
            each.wait()


class Storm:
    """What is struck when."""

    def __init__(self, postgres: Server, members: Members, folder: Path, seed: int) -> None:
        self._server, self._members, self._folder = postgres, members, folder
        self._rng = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self._stopped: list[tuple[float, subprocess.Popen[bytes]]] = []

    def rage(self, seconds: float) -> None:
        strikes = (
            *(self._kill,) * 6, *(self._terminate,) * 2, *(self._pause,) * 2,
            *(self._end_session,) * 3, *(self._restart,) * 2, self._away, self._crash,
            *(self._reseal,) * 4, *(self._sweep,) * 2, *(self._kill_keeper,) * 3,
        )  # fmt: skip
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            self._go_on(now)
            self._rng.choice(strikes)()
            self._members.complete()
            time.sleep(self._rng.uniform(0.5, 4.0))
        self._go_on(float("inf"))

    def _go_on(self, now: float) -> None:
        for until, process in list(self._stopped):
            if until <= now:
                process.send_signal(signal.SIGCONT)
                self._stopped.remove((until, process))

    def _one(self) -> subprocess.Popen[bytes]:
        return self._rng.choice(self._members.alive)

    def _kill(self) -> None:
        self.counts["killed"] += 1
        self._one().kill()

    def _terminate(self) -> None:
        self.counts["terminated"] += 1
        self._one().terminate()

    def _pause(self) -> None:
        self.counts["paused"] += 1
        process = self._one()
        process.send_signal(signal.SIGSTOP)
        self._stopped.append((time.monotonic() + self._rng.uniform(0.5, 8.0), process))

    def _reseal(self) -> None:
        """Another key seals from now on."""
        self.counts["resealed"] += 1
        vault.rotate(self._folder, self._rng)
        self._members.keep("reseal")

    def _sweep(self) -> None:
        self.counts["swept"] += 1
        self._members.keep("sweep")

    def _kill_keeper(self) -> None:
        if self._members.keepers:
            self.counts["keepers killed"] += 1
            self._rng.choice(self._members.keepers).kill()

    def _end_session(self) -> None:
        """One connection of some worker's is gone."""
        self.counts["sessions"] += 1
        with self._server.administrator() as administrator:
            administrator.execute("SELECT pg_terminate_backend(%s)", (self._session(administrator),))

    def _crash(self) -> None:
        """One process of the server's is killed; the server ends all others, and begins anew."""
        self.counts["crashed"] += 1
        with suppress(psycopg.OperationalError), self._server.administrator() as administrator:
            if pid := self._session(administrator):
                os.kill(pid, signal.SIGKILL)
                administrator.execute("SELECT pg_sleep(600)")  # until it is ended with all others
        self._server.until_ready()

    def _session(self, administrator: psycopg.Connection[Any]) -> int:
        pids = [pid for (pid,) in administrator.execute(SESSIONS).fetchall()]
        return self._rng.choice(pids) if pids else 0

    def _restart(self) -> None:
        mode = self._rng.choice(("immediate", "fast"))
        self.counts[f"restarted {mode}"] += 1
        self._server.restart(mode)

    def _away(self) -> None:
        self.counts["away"] += 1
        self._server.stop("immediate")
        time.sleep(self._rng.uniform(1.0, 5.0))
        self._server.start()


async def submit(address: str, folder: Path, count: int, seconds: float, rng: random.Random) -> None:
    """Put runs into the queue, which may begin at times that are spread over the storm."""
    options = RunOptions(agent=nobody, timeout_seconds=3_600)
    store = PostgresStore.open(address, vault.options(folder), schema=SCHEMA)
    try:
        async with trio.open_nursery() as nursery:
            for number in range(count):
                args = {"n": number, "sleepMs": rng.choice((1, 300, 1_500))}
                more: dict[str, Any] = {
                    "run_id": f"r{number}",
                    "tenant": f"t{number % 5}",
                    "args": args,
                    "options": options,
                    "not_before": store.now() + round(1000 * rng.uniform(0, seconds)),
                }
                nursery.start_soon(partial(submit_workflow, store, SOURCE, **more))
    finally:
        await store.aclose()


async def resumed(address: str, folder: Path) -> int:
    """Go on with the runs that were quarantined, as somebody would by hand. How many they were."""
    store = PostgresStore.open(address, vault.options(folder), schema=SCHEMA)
    try:
        found = await store.runs(Filter(verdicts=("quarantined",), limit=100_000))
        for each in found:
            epoch = await store.claim(each.run_id, reopen=True)
            assert epoch is not None
            await store.put_back(each.run_id, epoch)
        return len(found)
    finally:
        await store.aclose()


def open_runs(postgres: Server) -> int:
    with postgres.administrator() as administrator:
        row = administrator.execute(f"SELECT count(*) FROM {SCHEMA}.runs WHERE state <> 'ended'").fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def members(folder: Path, address: str, most: int = MEMBERS) -> Iterator[Members]:
    made = Members(folder, address, most)
    try:
        made.complete()
        yield made
    finally:
        made.end()


def main(folder: Path, runs: int, seconds: float, seed: int) -> None:
    with ExitStack() as stack:
        postgres = stack.enter_context(server(fsync="off", max_connections="50"))
        vault.make(folder)
        trio.run(submit, postgres.address, folder, runs, seconds, random.Random(seed))
        with postgres.administrator() as administrator:
            administrator.execute(AUDIT)
        began = time.monotonic()
        with members(folder, f"{postgres.address}|{SCHEMA}") as workers:
            storm = Storm(postgres, workers, folder, seed)
            storm.rage(seconds)
            left = open_runs(postgres)
            until = time.monotonic() + LONGEST_END_S
            while open_runs(postgres) or trio.run(resumed, postgres.address, folder):
                assert time.monotonic() < until, f"{open_runs(postgres)} runs do not end"
                workers.complete()
                time.sleep(0.5)
        took = round(time.monotonic() - began)
        vault.rotate(folder, random.Random(seed))
        trio.run(vault.settled, postgres.address, folder)
        judge = Judge(postgres.address, SCHEMA, workers.log)
        counts = trio.run(judge.judge)
        counts["objects"] = len(vault.objects(folder))
        judge.require_sealed(postgres.folder, folder)
    print(json.dumps({"runs": runs, "seconds": took, "left": left, **storm.counts, **counts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
