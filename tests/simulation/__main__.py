"""A large simulation: thousands of workers, a million runs.

    python -m tests.simulation [--workers N] [--runs N] [--seed N] [--minutes N]

It prints what there was, or fails with the promise that was broken.
"""

from __future__ import annotations

import argparse
import time

from tests.simulation.scripts import Traffic
from tests.simulation.world import Plan, Simulation

_BUSY = 0.8  # share of the slots


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--tenants", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-hour", type=float, default=4.0)
    parser.add_argument("--minutes", type=float, default=24 * 60, help="then nothing more is handed in")
    given = parser.parse_args()
    traffic = Traffic(given.tenants, pools=1, steps=2, agent_ms=40_000)
    seconds = (1 + traffic.steps) / 2 * traffic.agent_ms / 2000
    rate = _BUSY * given.workers * given.slots / seconds
    of_one = 60 * rate / (2 * given.tenants)  # runs a minute that most tenants hand in
    plan = Plan(
        given.seed,
        given.workers,
        given.slots,
        given.runs,
        rate,
        traffic,
        given.per_hour,
        poll_ms=30_000,
        runs_per_minute=1.5 * of_one,
        cpu_per_minute=0.75 * of_one,
    )
    simulate(Simulation(plan), given.minutes)


def simulate(simulation: Simulation, minutes: float) -> None:
    """Carry it out, and tell how far it is once a minute; after so many, nothing more is handed in."""
    began, told = time.monotonic(), 0.0
    simulation.begin()
    while not simulation.is_over:
        for _ in range(1000):
            if not simulation.is_over:
                simulation.step()
        passed = (time.monotonic() - began) / 60
        if passed > minutes:
            simulation.hand_in_no_more()
        if passed > told + 1:
            told = passed
            print(f"{simulation.made:,} runs, {time.process_time():,.0f} s of CPU", flush=True)
    simulation.truth.at_rest(simulation.made)
    print(simulation.told())
    print(f"{time.process_time():,.0f} s of CPU")


if __name__ == "__main__":
    main()
