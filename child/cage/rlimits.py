"""Resource limits (getrlimit(2)): what the kernel counts for us.

They stop memory, CPU time, file growth, new descriptors and new processes. They do not stop system calls.
"""

from __future__ import annotations

import math
import resource
import time

from flowcage.protocol.limits import MIB, Limits
from flowcage.protocol.messages import Layer

# Messages of 8 MiB, parsed and encoded, beside the engine's heap.
_ROOM_FOR_MESSAGES = 192 * MIB
# With less the child could not even refuse.
_ROOM_TO_ANSWER = 32 * MIB
# Memory that the kernel keeps for a process; not every system has them all.
_QUEUES = [
    name for name in ("RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_SIGPENDING") if hasattr(resource, name)
]


def apply(limits: Limits, mapped: int) -> tuple[Limits, dict[str, Layer]]:
    """Set every limit, soft and hard; report each by name.

    Args:
        limits: as asked for.
        mapped: virtual memory of this process, in bytes.
    """
    asked = limits.address_space_bytes or mapped + limits.memory_bytes + _ROOM_FOR_MESSAGES
    limits = limits._replace(address_space_bytes=max(asked, mapped + _ROOM_TO_ANSWER))
    memory = limits.address_space_bytes
    return limits, {
        "memory": _set(f"RLIMIT_AS {memory}", [(resource.RLIMIT_AS, memory, memory)]),
        "cpu": _set_cpu(limits.cpu_seconds),
        "files": _set(
            "RLIMIT_FSIZE 0, RLIMIT_NOFILE 0",
            [(resource.RLIMIT_FSIZE, 0, 0), (resource.RLIMIT_NOFILE, 0, 0)],
        ),
        "processes": _set("RLIMIT_NPROC 0 (the kernel exempts uid 0)", [(resource.RLIMIT_NPROC, 0, 0)]),
        "core": _set("RLIMIT_CORE 0", [(resource.RLIMIT_CORE, 0, 0)]),
        "kernel_memory": _set(
            f"{', '.join(_QUEUES)} 0", [(getattr(resource, name), 0, 0) for name in _QUEUES]
        ),
    }


def _set_cpu(seconds: int) -> Layer:
    used = math.ceil(time.process_time())
    _, ceiling = resource.getrlimit(resource.RLIMIT_CPU)
    hard = used + seconds + 1
    if ceiling != resource.RLIM_INFINITY:
        hard = min(hard, ceiling)
    # The soft limit's SIGXCPU tells the cause; with both equal the kernel sends SIGKILL only.
    soft = hard - 1
    return _set(f"RLIMIT_CPU {soft - used} s", [(resource.RLIMIT_CPU, soft, hard)])


def _set(detail: str, wanted: list[tuple[int, int, int]]) -> Layer:
    try:
        for which, soft, hard in wanted:
            _lower(which, soft, hard)
    except (OSError, ValueError) as error:
        return Layer(False, f"{detail}: {error}")
    return Layer(True, detail)


def _lower(which: int, soft: int, hard: int) -> None:
    """Set a limit, or keep the lower one that somebody set before us."""
    _, current = resource.getrlimit(which)
    ceiling = math.inf if current == resource.RLIM_INFINITY else current
    resource.setrlimit(which, (int(min(soft, ceiling)), int(min(hard, ceiling))))
