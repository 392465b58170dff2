"""``--metrics-addr`` of the commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowcage.host.cli import exits
from flowcage.host.cli.console import fail, note

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from flowcage.host.durable.store import Store
    from flowcage.host.metrics.requests import Requests
    from flowcage.host.run.run import Run
    from flowcage.host.serve.counts import Counts

F = TypeVar("F", bound=Callable[..., Any])
# Told that a run, or another life of it, begins, and whether it is kept.
Began = Callable[["Run", bool], None]


def option(command: F) -> F:
    """The option."""
    return click.option(
        "--metrics-addr",
        metavar="[HOST:]PORT",
        help="Serve metrics for Prometheus here, at /metrics; without HOST on loopback. Needs "
        "flowcage[prometheus].",
    )(command)


@contextmanager
def shown(
    address: str, collector: Callable[[], Collector], tell: Callable[[str], None] = note
) -> Iterator[None]:
    """Serve metrics for the length of a block; where that is not possible, leave with a message.

    Args:
        address: as the option takes it.
        collector: makes what is scraped, once prometheus-client is known to be there.
        tell: is told where they are.
    """
    from flowcage.host.metrics.exposed import CannotExpose, exposed

    serving = exposed(address, collector)
    try:
        where = serving.__enter__()
    except CannotExpose as error:
        fail(exits.USAGE, f"--metrics-addr {address}: {error}")
    tell(f"metrics at {where.url}")
    if not where.is_loopback:
        tell(f"warning: whoever reaches {where.host} can read names of tenants and models there")
    try:
        yield
    finally:
        serving.__exit__(None, None, None)


@contextmanager
def of_run(address: str | None, began: Began) -> Iterator[Began]:
    """Serve the metrics of one run; what is to be told in place of `began`."""
    if address is None:
        yield began
        return
    made: list[Any] = []

    def collector() -> Collector:
        from flowcage.host.metrics.prometheus_run import RunCollector

        made.append(RunCollector())
        return made[0]  # type: ignore[no-any-return]

    def begin(run: Run, is_kept: bool) -> None:
        made[0].begin(run)
        began(run, is_kept)

    with shown(address, collector):
        yield begin


def of_pages(
    address: str | None, requests: Requests, store: Store, tell: Callable[[str], None]
) -> AbstractContextManager[None]:
    """Serve the metrics of ``flowcage ui``, where an address is given."""

    def collector() -> Collector:
        from flowcage.host.metrics.prometheus_queue import QueueCollector
        from flowcage.host.metrics.prometheus_requests import RequestsCollector

        return QueueCollector(store, RequestsCollector(requests))

    return nullcontext() if address is None else shown(address, collector, tell)


def of_server(address: str, tell: Callable[[str], None]) -> Any:
    """What serves the metrics of ``flowcage serve``, given its counts."""

    def expose(counts: Counts) -> Any:
        def collector() -> Collector:
            from flowcage.host.metrics.prometheus_serve import ServeCollector

            return ServeCollector(counts)

        return shown(address, collector, tell)

    return expose
