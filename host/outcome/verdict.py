"""One word for how a run ended."""

from __future__ import annotations

from enum import StrEnum

# The reason that whoever ends the host's own process gives for cancelling its runs.
HOST_SHUTDOWN = "host shutdown"


class Verdict(StrEnum):
    """Every run ends in exactly one of these."""

    COMPLETED = "completed"
    FAILED = "failed"  # the workflow threw, does not compile, or has no result that can cross
    WALL_TIMEOUT = "wall_timeout"
    STEP_TIMEOUT = "step_timeout"
    CPU_LIMIT = "cpu_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    STALLED = "stalled"
    PROTOCOL_VIOLATION = "protocol_violation"
    ISOLATION_VIOLATION = "isolation_violation"  # a system call that the cage forbids
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    HOST_SHUTDOWN = "host_shutdown"
    NOT_STARTED = "not_started"  # no child, no cage, or nothing that could be sent to it
    HOST_FAULT = "host_fault"  # a handler or a listener of the host's own failed
