"""The effect of a hostile tenant's schemas on another tenant's runs, and what the hostile tenant is charged.

    python bench/schemas.py [rounds]

One host, two tenants. The neighbour makes one trivial run after the other; the hostile tenant has as many
runs at once as it gets, each with sixteen agent calls whose schemas are as costly as possible. Windows with
the neighbour alone and with both take turns. The second table compares what both tenants were charged with
what the kernel counted for all processes that were reaped; replaced zygotes are charged to no tenant. The
last one is the cost of a check of an ordinary schema.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
from functools import partial
from typing import NamedTuple

import trio

from flowcage.host import AgentAnswer, AgentCall, FlowcageError, Host, Overloaded, RunOptions, TenantLimits

TRIVIAL = "return 1"
WINDOW_SECONDS = 1.5
RUNS_AT_ONCE = 4
ASK = (
    "await Promise.all(Array.from({ length: 16 }, () => agent(value, { schema }).catch(() => 0))); return 1;"
)
KINDS = {
    "many small costly ones": """
const schema = { items: { anyOf: Array(670).fill(false) } };
const value = JSON.stringify(Array(490).fill(0));
""",
    "small enough for the host": """
const schema = { items: { anyOf: [...Array(120).fill(false), true] } };
const value = JSON.stringify(Array(490).fill(0));
""",
    "expressions that backtrack": """
const schema = { type: 'string', pattern: '^(?=(a+)+$)(a+)+$' };
const value = JSON.stringify('a'.repeat(40) + '!');
""",
    "references that double": """
const schema = { $ref: '#/$defs/d40', $defs: { d0: { type: 'integer' } } };
const part = (n) => ({ $ref: '#/$defs/d' + n });
for (let n = 1; n <= 40; n++) schema.$defs['d' + n] = { allOf: [part(n - 1), part(n - 1)] };
const value = '1';
""",
}
ORDINARY = {
    "without a schema": "{}",
    "plain ones, in the host": "{ schema: { type: 'array', items: { type: 'string' } } }",
    "with a pattern, in a process": "{ schema: { items: { pattern: '^a' } } }",
}
NEIGHBOUR = TenantLimits(runs_per_minute=10**6, cpu_seconds_per_minute=10**5)
# The defaults except for CPU, whose quota would end the attack, and the measurement with it.
HOSTILE = TenantLimits(cpu_seconds_per_minute=10**5)


class Sample(NamedTuple):
    """Milliseconds of the neighbour's runs."""

    alone: list[float]
    beside: list[float]


async def answer(call: AgentCall) -> AgentAnswer:
    """Answer with the JSON value that the prompt is."""
    return AgentAnswer(json.loads(call.prompt))


async def neighbour(host: Host, source: str = TRIVIAL) -> list[float]:
    """Make one run after the other for the length of a window; return the milliseconds of each."""
    times = []
    end = trio.current_time() + WINDOW_SECONDS
    while trio.current_time() < end:
        began = trio.current_time()
        await host.run(source, tenant="neighbour")
        times.append((trio.current_time() - began) * 1000)
    return times


async def hostile(host: Host, source: str, tenant: str) -> None:
    """Make runs without end, also after one that a limit ended or that was refused."""
    while True:
        try:
            await host.run(source, tenant=tenant)
        except Overloaded as refused:
            await trio.sleep(min(1.0, refused.retry_after_seconds))
        except FlowcageError:
            pass


async def beside(host: Host, source: str, tenant: str) -> list[float]:
    """The neighbour's window while the attack goes on; the attack begins before and is ended after it."""
    async with trio.open_nursery() as nursery:
        for _ in range(RUNS_AT_ONCE):
            nursery.start_soon(hostile, host, source, tenant)
        await trio.sleep(1.0)
        times = await neighbour(host)
        nursery.cancel_scope.cancel()
    return times


async def windows(rounds: int) -> tuple[dict[str, Sample], dict[str, float], float]:
    """The samples of all windows, and the CPU seconds charged to tenants and counted by the kernel."""
    samples = {name: Sample([], []) for name in KINDS}
    before = reaped_cpu_seconds()
    limits = {"neighbour": NEIGHBOUR, **dict.fromkeys(KINDS, HOSTILE)}
    async with Host(tenants=limits, options=RunOptions(agent=answer)) as host:
        await neighbour(host)
        for _ in range(rounds):
            for name, source in KINDS.items():
                samples[name].alone.extend(await neighbour(host))
                samples[name].beside.extend(await beside(host, source + ASK, name))
        counted = reaped_cpu_seconds() - before
        charged = {name: host.tenant_statistics(name).cpu_seconds for name in limits}
    return samples, charged, counted


def reaped_cpu_seconds() -> float:
    """User and system CPU of all children of this process that were reaped."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def p99(times: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(times, n=100, method="inclusive")[98]


def print_neighbour(samples: dict[str, Sample]) -> None:
    """Print the neighbour's table; the goal is a median within 1.5 times and a p99 within 3 times."""
    print("a trivial run of a neighbour, ms")
    ratios = "".join(f"{figure:>9}{'alone':>8}{'ratio':>7}" for figure in ("median", "p99"))
    print(f"{'beside schemas:':<28}{'runs':>6}{ratios}")
    for name, (alone, crowded) in samples.items():
        row = f"{name:<28}{len(crowded):>6}"
        for figure in (statistics.median, p99):
            row += f"{figure(crowded):>9.1f}{figure(alone):>8.1f}{figure(crowded) / figure(alone):>7.2f}"
        print(row)


def print_charges(charged: dict[str, float], counted: float) -> None:
    """Print what was charged beside what was used."""
    print("\nCPU, s")
    for name, seconds in charged.items():
        print(f"{'charged: ' + name:<40}{seconds:>9.1f}")
    total = sum(charged.values())
    print(f"{'charged in all':<40}{total:>9.1f}")
    print(f"{'counted by the kernel, all reaped':<40}{counted:>9.1f}{total / counted:>9.1%} is charged")


async def ordinary() -> None:
    """Print the cost of checks: runs of eight answers, with schemas and without."""
    print(f"\n{'a run of eight agents in turn':<32}{'ms':>8}{'CPU ms':>9}")
    async with Host(tenants={"neighbour": NEIGHBOUR}, options=RunOptions(agent=answer)) as host:
        for name, options in ORDINARY.items():
            source = f"for (let n = 0; n < 8; n++) await agent('[\"a\"]', {options}); return 1;"
            used = host.tenant_statistics("neighbour").cpu_seconds
            times = await neighbour(host, source)
            used = host.tenant_statistics("neighbour").cpu_seconds - used
            print(f"{name:<32}{statistics.median(times):>8.1f}{used / len(times) * 1000:>9.1f}")


def main() -> None:
    """Print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    samples, charged, counted = trio.run(partial(windows, rounds))
    print_neighbour(samples)
    print_charges(charged, counted)
    trio.run(ordinary)


if __name__ == "__main__":
    main()
