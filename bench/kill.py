"""The time of a kill, from the deadline of a run to the reaping of its child, for each kind of attack.

    python bench/kill.py [kills]

Each kind spins, sleeps or hangs in another way, in a real run with a cage. The deadline is the run's timeout;
the clock runs from there until `run_workflow` has raised, which is after the child is reaped and its pipes
are closed. Where a heap is large, most of that time is the kernel's, which frees it page by page: 70 µs for
each MiB, on a core that is idle.
"""

from __future__ import annotations

import os
import sys
from statistics import median, quantiles

import trio
from tables.markdown import table

from flowcage.host import AgentAnswer, AgentCall, RunOptions, RunTimedOut, run_workflow
from flowcage.protocol.limits import Limits

ATTACKS = {
    "loop": "for (;;);",
    "catching loop": "for (;;) try { for (;;); } catch {}",
    "lost in a promise": "for (;;) new Promise(() => { for (;;); });",
    "microtasks": "const f = () => Promise.resolve().then(f); await f();",
    "sleep loop": "for (;;) await SW.extra.sleep(0);",
    "waits for an agent": "await agent('never');",
    "sparse reverse": "Array.prototype.reverse.call({ length: 2 ** 53 - 1 });",
    "indexOf": "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);",
    "BigInt": "let n = 7n ** 300000n; for (;;) n % (3n ** 90000n);",
    "regular expression": "/(a+)+$/.test('a'.repeat(40) + 'b');",
    "allocations": "for (let a = [];;) a = [a, 'x'.repeat(9)];",
    "getter in the result": "export default { get x() { for (;;); } };",
}
LIMITS = Limits(step_timeout_ms=60_000)
AT_ONCE = 2
TIMEOUT_SECONDS = 0.25
GOAL_MS = 20


async def never(_call: AgentCall) -> AgentAnswer:
    """An agent that does not answer."""
    await trio.sleep_forever()
    raise AssertionError


async def kill(source: str) -> float | None:
    """Seconds from the run's deadline to its end; None where it ended in another way."""
    options = RunOptions(agent=never, timeout_seconds=TIMEOUT_SECONDS, limits=LIMITS)
    deadline = trio.current_time() + TIMEOUT_SECONDS
    try:
        await run_workflow(source, options=options)
    except RunTimedOut:
        return trio.current_time() - deadline
    except Exception as error:
        print(f"not a kill: {source}: {error!r}", file=sys.stderr)
    return None


async def measure(kills: int) -> dict[str, list[float]]:
    """Milliseconds of each kill, by kind of attack, `AT_ONCE` at a time."""
    times: dict[str, list[float]] = {name: [] for name in ATTACKS}
    turns = iter([name for _ in range(-(-kills // len(ATTACKS))) for name in ATTACKS][:kills])

    async def work() -> None:
        for name in turns:
            seconds = await kill(ATTACKS[name])
            if seconds is not None:
                times[name].append(seconds * 1000)

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(work)
    return times


def main() -> None:
    """Print the table."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    times = trio.run(measure, kills)
    everything = [time for measured in times.values() for time in measured]
    print(f"{len(everything)} kills of {kills}, {AT_ONCE} at once, {os.cpu_count()} cores\n")
    rows, late = [], []
    for name, measured in [*times.items(), ("all", everything)]:
        p99 = quantiles(measured, n=100, method="inclusive")[98] if len(measured) > 1 else measured[0]
        rows.append([name, f"{median(measured):.1f}", f"{p99:.1f}", f"{max(measured):.1f}"])
        if p99 >= GOAL_MS:
            late.append(name)
    print(table(["ms from the deadline to reaped", "median", "p99", "max"], rows))
    print(f"\nGoal: p99 under {GOAL_MS} ms for each: {'no: ' + ', '.join(late) if late else 'yes'}")


if __name__ == "__main__":
    main()
