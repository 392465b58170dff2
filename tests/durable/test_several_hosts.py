"""Several processes on one store: each run is one host's, whoever comes first."""

from __future__ import annotations

from contextlib import ExitStack

import trio

from .places import Place, host, new, other_host

RUNS = 200
HOSTS = 8
CLAIMS = """
import sys
print('ready', flush=True)
sys.stdin.readline()
while found := await store.claimable(10):
    for each in found:
        epoch = await store.claim(each.run_id)
        if epoch is not None:
            print(each.run_id, epoch, flush=True)
print('done', flush=True)
sys.stdin.readline()
"""


def test_no_run_is_claimed_twice(place: Place) -> None:
    async def fill() -> None:
        async with host(place) as store:
            tickets = [store.create(new(f"r{number}"), queued=True) for number in range(RUNS)]
            for ticket in tickets:
                await ticket

    trio.run(fill)
    claimed = []
    with ExitStack() as stack:
        hosts = [stack.enter_context(other_host(place, CLAIMS)) for _ in range(HOSTS)]
        for process in hosts:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in hosts:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in hosts:
            assert process.stdout is not None
            claimed += [line.split() for line in iter(process.stdout.readline, "done\n")]

    assert sorted(run_id for run_id, _ in claimed) == sorted(f"r{number}" for number in range(RUNS))
    assert {epoch for _, epoch in claimed} == {"1"}
