"""Limits of tenants, as the queue of a store and a host that takes from it each hold to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from flowcage.host.durable.queue.records import TurnLimits
from flowcage.host.tenants.tenant import TenantLimits
from flowcage.protocol.limits import MAX_LIMIT


def over_all_workers(
    tenants: Mapping[str, TenantLimits], default: TenantLimits | None
) -> Callable[[str], TurnLimits]:
    """The limits of each tenant in the queue; without any, of one that is not named.

    What is not said there is not limited: the slots of the workers are.
    """
    named = {name: _in_queue(limits) for name, limits in tenants.items()}
    others = TurnLimits() if default is None else _in_queue(default)
    return lambda tenant: named.get(tenant, others)


def of_this_host(
    tenants: Mapping[str, TenantLimits], default: TenantLimits | None
) -> tuple[Mapping[str, TenantLimits], TenantLimits]:
    """The limits of each tenant in a worker, where the queue has decided whose turn it is."""
    return {name: _without_rates(each) for name, each in tenants.items()}, _without_rates(
        TenantLimits(max_runs=MAX_LIMIT) if default is None else default
    )


def _without_rates(limits: TenantLimits) -> TenantLimits:
    most = {"runs_per_minute": MAX_LIMIT, "cpu_seconds_per_minute": MAX_LIMIT, "max_queued": MAX_LIMIT}
    return replace(limits, **most)


def _in_queue(limits: TenantLimits) -> TurnLimits:
    return TurnLimits(
        limits.max_runs,
        limits.runs_per_minute,
        limits.cpu_seconds_per_minute,
        limits.max_cost_usd,
        limits.weight,
    )
