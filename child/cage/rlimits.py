"""Resource limits (getrlimit(2)): what the kernel counts for us.

They stop memory, CPU time, file growth, new descriptors and new processes. They do not stop system calls.
"""

from __future__ import annotations

import math
import resource
import time

from flowcage.protocol.limits import MAX_LIMIT, MIB, Limits
from flowcage.protocol.messages import Layer

# Messages of 8 MiB, parsed and encoded, beside the engine's heap.
_ROOM_FOR_MESSAGES = 192 * MIB
# With less the child could not even refuse.
_ROOM_TO_ANSWER = 32 * MIB
_STACK_BYTES = 8 * MIB
_UNLIMITED = 2**62
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
    limits = _effective(limits, mapped)
    memory, used = limits.address_space_bytes, math.ceil(time.process_time())
    cpu = used + limits.cpu_seconds
    return limits, {
        "memory": _set(f"RLIMIT_AS {memory}", [(resource.RLIMIT_AS, memory, memory)]),
        # The soft limit's SIGXCPU tells the cause; with both equal the kernel sends SIGKILL only.
        "cpu": _set(f"RLIMIT_CPU {limits.cpu_seconds} s", [(resource.RLIMIT_CPU, cpu, cpu + 1)]),
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


def lower_to_ceilings(ceilings: Limits) -> None:
    """Have the kernel keep this process to these ceilings, before its peer has said anything.

    `apply` keeps below a hard limit that is there already.
    """
    memory = ceilings.address_space_bytes
    _lower(resource.RLIMIT_AS, memory, memory)
    cpu = math.ceil(time.process_time()) + ceilings.cpu_seconds
    _lower(resource.RLIMIT_CPU, cpu, cpu + 1)


def _effective(limits: Limits, mapped: int) -> Limits:
    """The limits as they can be kept: whoever started us may have set lower ones for good."""
    asked = limits.address_space_bytes or mapped + limits.memory_bytes + _ROOM_FOR_MESSAGES
    memory = min(max(asked, mapped + _ROOM_TO_ANSWER), _ceiling(resource.RLIMIT_AS), MAX_LIMIT)
    cpu_left = _ceiling(resource.RLIMIT_CPU) - 1 - math.ceil(time.process_time())
    return limits._replace(
        address_space_bytes=memory,
        # The heap is full before the address space is: then there is memory left to say so.
        memory_bytes=min(limits.memory_bytes, max(1, memory - mapped - _ROOM_TO_ANSWER // 2)),
        cpu_seconds=max(1, min(limits.cpu_seconds, cpu_left)),
        stack_bytes=min(limits.stack_bytes, _widen_stack() // 2),
    )


def _widen_stack() -> int:
    """Have the stack that recursion needs, where a lower soft limit was set; its size in bytes."""
    size = min(_STACK_BYTES, _ceiling(resource.RLIMIT_STACK))
    resource.setrlimit(resource.RLIMIT_STACK, (size, size))
    return size


def _ceiling(which: int) -> int:
    """The hard limit, above which nobody but root can go."""
    _, hard = resource.getrlimit(which)
    return _UNLIMITED if hard == resource.RLIM_INFINITY else hard


def _set(detail: str, wanted: list[tuple[int, int, int]]) -> Layer:
    try:
        for which, soft, hard in wanted:
            _lower(which, soft, hard)
    except (OSError, ValueError) as error:
        return Layer(False, f"{detail}: {error}")
    return Layer(True, detail)


def _lower(which: int, soft: int, hard: int) -> None:
    """Set a limit, or keep the lower one that somebody set before us."""
    ceiling = _ceiling(which)
    resource.setrlimit(which, (min(soft, ceiling), min(hard, ceiling)))
