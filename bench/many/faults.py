"""Many runs, each with a fault at a random moment: is anything left, or a verdict wrong?

    python bench/many/faults.py [runs] [seed]

A fault is a signal to the child, a cancelled scope, a deadline, or none. A fault that comes too late finds a
run that has completed; every other verdict must be the one of its fault. Exit status 1 where anything is
wrong or left.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from functools import partial

import psutil
import trio

from flowcage.host import RunError, RunOptions, run_workflow
from flowcage.host.events.records import Event, RunEnded, RunStarted
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.launch.spawn import Spawn
from flowcage.protocol.limits import Limits

AT_ONCE = 4
MAX_DELAY_SECONDS = 0.12
SOURCE = "let n = 0; for (let i = 0; i < 2e5; i++) n += i; await SW.extra.sleep(20); export default n;"
LIMITS = Limits(step_timeout_ms=400)
SIGNALS = {
    signal.SIGKILL: "crashed",
    signal.SIGSEGV: "crashed",
    signal.SIGABRT: "crashed",
    signal.SIGTERM: "crashed",
    signal.SIGSYS: "isolation_violation",
    signal.SIGXCPU: "cpu_limit",
    signal.SIGSTOP: "step_timeout",
}
FAULTS: list[str | signal.Signals] = ["none", "cancel", "deadline", *SIGNALS]


class Trial(Spawn):
    """One run and its fault."""

    def __init__(self, fault: str | signal.Signals, delay: float) -> None:
        super().__init__()
        self.fault = fault
        self.delay = delay
        self.verdicts: list[str] = []
        self._pidfd = -1
        self._started = trio.Event()

    async def launch(self) -> Spawned:
        """Launch a child, and keep its pid for the fault."""
        spawned = await super().launch()
        self._pidfd = os.pidfd_open(spawned.pid)
        return spawned

    def listen(self, event: Event) -> None:
        """Collect the verdicts of ended runs."""
        if isinstance(event, RunStarted):
            self._started.set()
        if isinstance(event, RunEnded):
            self.verdicts.append(str(event.verdict))

    async def run(self) -> None:
        """Run the workflow, and let the fault happen meanwhile."""
        timeout = self.delay + 0.001 if self.fault == "deadline" else 60.0
        options = RunOptions(
            launcher=self,
            listener=self.listen,
            limits=LIMITS,
            timeout_seconds=timeout,
            answer_grace_seconds=0.2,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._strike, nursery.cancel_scope)
            with suppress(RunError):
                await run_workflow(SOURCE, options=options)
            nursery.cancel_scope.cancel()
        os.close(self._pidfd)

    async def _strike(self, scope: trio.CancelScope) -> None:
        if self.fault == signal.SIGSTOP:  # stopped before its start, the host would wait for 30 s
            await self._started.wait()
        await trio.sleep(self.delay)
        if self.fault == "cancel":
            scope.cancel()
        elif isinstance(self.fault, signal.Signals):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, self.fault)

    def is_right(self) -> bool:
        """Whether the run ended exactly once, with a verdict that its fault explains."""
        expected = {"completed"}
        if isinstance(self.fault, signal.Signals):
            expected.add(SIGNALS[self.fault])
        else:
            expected |= {"cancel": {"cancelled"}, "deadline": {"wall_timeout"}}.get(self.fault, set())
        return len(self.verdicts) == 1 and self.verdicts[0] in expected


async def trials(count: int, seed: int) -> list[Trial]:
    """Run so many trials, `AT_ONCE` at a time."""
    rng = random.Random(seed)
    made = [Trial(rng.choice(FAULTS), rng.uniform(0, MAX_DELAY_SECONDS)) for _ in range(count)]
    turns = iter(made)

    async def work() -> None:
        for trial in turns:
            await trial.run()

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(work)
    return made


def main() -> None:
    """Print the counts; exit status 1 where a verdict was wrong or anything is left."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 1_000_000
    trio.run(trials, AT_ONCE, 0)  # opens what stays open for the process
    process = psutil.Process()
    descriptors, began = process.num_fds(), time.monotonic()
    made = trio.run(partial(trials, count, seed))
    wrong = [trial for trial in made if not trial.is_right()]
    left, leaked = len(process.children()), process.num_fds() - descriptors
    took = time.monotonic() - began
    print(f"{count} runs with random faults, seed {seed}, {took:.0f} s, {os.cpu_count()} cores")
    for verdict, times in Counter(trial.verdicts[0] for trial in made if trial.verdicts).most_common():
        print(f"{verdict:>20}: {times}")
    print(f"wrong verdicts: {len(wrong)}, children or zombies left: {left}, descriptors leaked: {leaked}")
    for trial in wrong[:10]:
        print(f"  {trial.fault} after {trial.delay:.3f} s: {trial.verdicts}")
    sys.exit(bool(wrong or left or leaked))


if __name__ == "__main__":
    main()
