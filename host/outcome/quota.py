"""What a tenant, or the whole host, can have too much of."""

from __future__ import annotations

from enum import StrEnum


class Quota(StrEnum):
    """Every `Overloaded` names exactly one of these."""

    QUEUED_RUNS = "queued_runs"
    RUNS_PER_MINUTE = "runs_per_minute"
    CPU_SECONDS_PER_MINUTE = "cpu_seconds_per_minute"
    HOST_QUEUE = "host_queue"  # the queue that all tenants share
    MEMORY = "memory"  # the run would have to wait for memory, and there is no place left to wait in


ADVICE = {
    Quota.QUEUED_RUNS: "wait for runs to end, or have max_queued raised",
    Quota.RUNS_PER_MINUTE: "start fewer runs, or have runs_per_minute raised",
    Quota.CPU_SECONDS_PER_MINUTE: "run less or cheaper work, or have cpu_seconds_per_minute raised",
    Quota.HOST_QUEUE: "retry later, or give the host more slots or places",
    Quota.MEMORY: "retry later, or give the host a larger memory budget",
}
