"""What simulated runs do: their steps come from their number, so whoever goes on with one knows them."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Literal, NamedTuple

from flowcage.host.durable.records import NewRun, NewWorkflow
from flowcage.host.run.core.rules import Rules

_SOURCE = "export default 1"


class Step(NamedTuple):
    """Asks for something, and is answered: two entries.

    Attributes:
        kind: an agent, a sleep until a time, or a person who answers from outside.
        takes_ms: until it is answered.
    """

    kind: Literal["agent", "sleep", "person"]
    takes_ms: int


class Script(NamedTuple):
    """Of one run.

    Attributes:
        poisoned_at: number of entries at which it ends the process of its worker, time and again.
        cpu_seconds, cost_usd: of each life.
    """

    steps: tuple[Step, ...]
    poisoned_at: int | None
    cpu_seconds: float
    cost_usd: float


class Traffic(NamedTuple):
    """What kinds of runs there are.

    Attributes:
        tenants, pools: their number; runs are also in the usual pool.
        steps: at most, of a run.
        agent_ms: at most, of an agent's answer.
        sleeps: share of steps that sleep, or wait for a person.
        poisoned: share of runs.
        later: share of runs that are not to begin at once.
    """

    tenants: int = 10
    pools: int = 2
    steps: int = 4
    agent_ms: int = 20_000
    sleeps: float = 0.1
    poisoned: float = 0.002
    later: float = 0.02


class Made(NamedTuple):
    """A run as it is handed in."""

    run: NewRun
    tenant: str
    pool: str


def number_of(run_id: str) -> int:
    """Which one it is."""
    return int(run_id[1:])


def made(number: int, traffic: Traffic, now: int) -> Made:
    """The run of a number."""
    drawn = Random(f"run {number}")
    # The first tenant has half of all.
    tenant = f"t{max(0, drawn.randrange(-traffic.tenants, traffic.tenants))}"
    pool = "" if not traffic.pools or drawn.random() < 0.7 else f"p{drawn.randrange(traffic.pools)}"
    later = now + drawn.randrange(60_000) if drawn.random() < traffic.later else None
    root = NewWorkflow("", _SOURCE, "w.js")
    run = NewRun(
        f"r{number}", tenant, Rules(), root, pool=pool, priority=drawn.randrange(3), not_before=later
    )
    return Made(run, tenant, pool)


@lru_cache(maxsize=50_000)
def script(number: int, traffic: Traffic) -> Script:
    """What the run of a number does."""
    drawn = Random(f"script {number}")
    steps = tuple(_step(drawn, traffic) for _ in range(drawn.randint(1, traffic.steps)))
    poisoned_at = drawn.randrange(2 * len(steps)) if drawn.random() < traffic.poisoned else None
    return Script(steps, poisoned_at, drawn.random(), drawn.random() * 0.01)


def _step(drawn: Random, traffic: Traffic) -> Step:
    if drawn.random() >= traffic.sleeps:
        return Step("agent", drawn.randrange(traffic.agent_ms))
    return Step(drawn.choice(("sleep", "person")), 10_000 + drawn.randrange(120_000))
