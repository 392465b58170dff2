"""The queue of a store as Prometheus metrics. Needs the extra ``flowcage[prometheus]``.

Each scrape reads the store, so all workers tell the same of it: take the maximum over them, not the sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import trio
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flowcage.host.durable.errors import StoreError
from flowcage.host.durable.queue.records import Depth, WorkerState
from flowcage.host.durable.store import Store

# How long a scrape waits for a store that is away.
_SECONDS = 5.0
_COUNTS = {
    "depth": "Runs that a worker could begin now, but for quotas.",
    "held": "Those of the depth that say why no worker takes them.",
    "later": "Queued runs whose time has not come.",
    "running": "Runs that workers have.",
    "asleep": "Runs that wait for a time or for somebody.",
}


class QueueCollector(Collector):
    """A collector for a registry of ``prometheus_client``; make it in the trio program that has the store.

    It is scraped from other threads; a scrape waits for the event loop. A store that is away has no metrics
    meanwhile.

    Args:
        store: whose queue it is.
        beside: other metrics under the same address.
    """

    def __init__(self, store: Store, beside: Collector) -> None:
        self._store = store
        self._beside = beside
        self._token = trio.lowlevel.current_trio_token()

    def collect(self) -> Iterable[Metric]:
        """All metrics now."""
        yield from self._beside.collect()
        try:
            found = trio.from_thread.run(self._read, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled):
            return
        if found is not None:
            depths, workers, now = found
            yield from _of_depths(depths, now)
            yield from _of_workers(workers)

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not scrape."""
        return []

    async def _read(self) -> tuple[list[Depth], list[WorkerState], int] | None:
        with trio.move_on_after(_SECONDS):
            try:
                return await self._store.depths(), await self._store.workers(), self._store.now()
            except StoreError:
                return None
        return None


def _of_depths(depths: list[Depth], now: int) -> Iterator[GaugeMetricFamily]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTS}
    oldest: dict[str, int] = {}
    for each in depths:
        for name in _COUNTS:
            counts[name][each.pool] += each.waiting if name == "depth" else getattr(each, name)
        if each.oldest_at is not None:
            oldest[each.pool] = min(each.oldest_at, oldest.get(each.pool, now))
    for name, help_text in _COUNTS.items():
        yield _gauge(name, help_text, counts[name])
    ages = {pool: max(0, now - at) / 1000 for pool, at in oldest.items()}
    yield _gauge("oldest_seconds", "Since the oldest run of the depth was submitted.", ages)


def _gauge(name: str, help_text: str, by_pool: dict[str, int] | dict[str, float]) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(f"flowcage_queue_{name}", help_text, labels=["pool"])
    for pool, value in {"": 0.0, **by_pool}.items():  # the usual pool is always there, so that 0 is told
        metric.add_metric([pool], value)
    return metric


def _of_workers(workers: list[WorkerState]) -> Iterator[GaugeMetricFamily]:
    alive = [each for each in workers if each.is_alive]
    count = GaugeMetricFamily("flowcage_workers", "Workers that are alive.", labels=["draining"])
    slots = GaugeMetricFamily("flowcage_worker_slots", "Runs at once of the workers that take some.")
    for is_draining in (False, True):
        count.add_metric(
            [str(is_draining).lower()], sum(each.info.is_draining is is_draining for each in alive)
        )
    slots.add_metric([], sum(each.info.slots for each in alive if not each.info.is_draining))
    yield count
    yield slots
