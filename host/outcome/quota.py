"""The quotas for which a run can be refused, and what to do about each."""

from __future__ import annotations

from enum import StrEnum


class Quota(StrEnum):
    """Why a run was refused; every `Overloaded` has exactly one."""

    QUEUED_RUNS = "queued_runs"
    RUNS_PER_MINUTE = "runs_per_minute"
    CPU_SECONDS_PER_MINUTE = "cpu_seconds_per_minute"
    HOST_QUEUE = "host_queue"  # the queue that all tenants share
    MEMORY = "memory"  # the run would have to wait for memory, and the queue has no place left


ADVICE = {
    Quota.QUEUED_RUNS: "wait for runs to end, or raise max_queued",
    Quota.RUNS_PER_MINUTE: "start fewer runs, or raise runs_per_minute",
    Quota.CPU_SECONDS_PER_MINUTE: "start less or cheaper work, or raise cpu_seconds_per_minute",
    Quota.HOST_QUEUE: "raise the host's max_runs or max_queued",
    Quota.MEMORY: "raise the host's memory budget",
}
