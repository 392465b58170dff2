"""``flowcage cluster``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from flowcage.host.cli.console import Command
from flowcage.host.cli.runs import access
from flowcage.host.cli.runs.looking.columns import aligned, one_line, pool_of
from flowcage.host.cli.runs.looking.summaries import summary_json
from flowcage.host.cli.runs.times import length, told
from flowcage.host.durable.address import StorePlace

if TYPE_CHECKING:
    from flowcage.host.durable.queue.records import Depth, WorkerState
    from flowcage.host.durable.records import Summary
    from flowcage.host.durable.store import Store

_TEXT, _WHY = 40, 200  # characters


class _Cluster(NamedTuple):
    now: int
    workers: list[WorkerState]
    depths: list[Depth]
    held: list[Summary]
    quarantined: list[Summary]


@click.command(cls=Command)
@click.option("--limit", type=click.IntRange(1, 2**31), default=20, show_default=True,
              help="How many runs of each kind are listed at most.")  # fmt: skip
@access.STORE
@access.JSON
def cluster(limit: int, store: StorePlace | None, as_json: bool) -> None:
    """Print the workers of the store, what its queue has, and which runs of it wait for more than a turn.

    A run is held where something says why no worker takes it, and quarantined where three workers were lost
    with it one after the other.
    """

    async def look(opened: Store) -> _Cluster:
        from flowcage.host.durable.records import Filter

        held = Filter(states=("queued",), held=True, limit=limit)
        quarantined = Filter(states=("ended",), verdicts=("quarantined",), limit=limit)
        return _Cluster(
            opened.now(),
            await opened.workers(),
            await opened.depths(),
            await opened.runs(held),
            await opened.runs(quarantined),
        )

    found = access.read_if_there(store, look, _Cluster(0, [], [], [], []))
    access.say_all([] if as_json else list(_lines(found)), _members(found), as_json=as_json)


def _members(found: _Cluster) -> dict[str, Any]:
    """As JSON; times in milliseconds since 1970."""
    return {
        "workers": [_worker_json(each) for each in found.workers],
        "queue": [_depth_json(each, found.now) for each in found.depths],
        "held": [summary_json(each) for each in found.held],
        "quarantined": [summary_json(each) for each in found.quarantined],
    }


def _worker_json(worker: WorkerState) -> dict[str, Any]:
    info = worker.info
    return {
        "name": info.name,
        "owner": worker.owner,
        "state": _state_of(worker),
        "pools": [*info.pools],
        "slots": info.slots,
        "running": worker.running,
        "version": info.version,
        "mark": info.mark,
        "marks": [*info.marks],
        "since": worker.since,
    }


def _state_of(worker: WorkerState) -> str:
    if not worker.is_alive:
        return "lost"
    return "draining" if worker.info.is_draining else "at work"


def _depth_json(depth: Depth, now: int) -> dict[str, Any]:
    waits = None if depth.oldest_at is None else max(0, now - depth.oldest_at) / 1000
    return {
        "pool": depth.pool,
        "tenant": depth.tenant,
        "waiting": depth.waiting,
        "held": depth.held,
        "later": depth.later,
        "running": depth.running,
        "asleep": depth.asleep,
        "oldestSeconds": waits,
    }


def _lines(found: _Cluster) -> Iterator[str]:
    """For a person."""
    yield from _worker_lines(found.workers)
    yield ""
    yield from _queue_lines(found.depths, found.now)
    for title, runs in (("held", found.held), ("quarantined", found.quarantined)):
        if runs:
            yield ""
            yield f"{title}:"
            yield from aligned([_run_row(each) for each in runs])


def _worker_lines(workers: list[WorkerState]) -> list[str]:
    if not workers:
        return ["no workers; start one with: flowcage worker"]
    head = ("WORKER", "STATE", "POOLS", "RUNS", "VERSION", "MARK", "SINCE")
    rows = [
        (
            one_line(each.info.name, _TEXT),
            _state_of(each),
            one_line(", ".join(map(pool_of, each.info.pools)), _TEXT),
            f"{each.running}/{each.info.slots}",
            one_line(each.info.version, _TEXT),
            one_line(each.info.mark, _TEXT),
            told(each.since),
        )
        for each in workers
    ]
    return aligned([head, *rows])


def _queue_lines(depths: list[Depth], now: int) -> list[str]:
    if not depths:
        return ["the queue is empty"]
    head = ("POOL", "TENANT", "WAITING", "HELD", "LATER", "RUNNING", "ASLEEP", "OLDEST")
    rows = [
        (
            one_line(pool_of(each.pool), _TEXT),
            one_line(each.tenant, _TEXT),
            *map(str, (each.waiting, each.held, each.later, each.running, each.asleep)),
            "" if each.oldest_at is None else length(max(0, now - each.oldest_at) / 1000),
        )
        for each in depths
    ]
    return aligned([head, *rows], frozenset({2, 3, 4, 5, 6}))


def _run_row(run: Summary) -> tuple[str, ...]:
    why = run.held or f"{run.takeovers} workers were lost with it; go on with: flowcage resume {run.run_id}"
    return (
        f"  {run.run_id}",
        one_line(run.tenant, 20),
        one_line(pool_of(run.pool or ""), 20),
        one_line(why, _WHY),
    )
