"""Resource limits (getrlimit(2)): what the kernel counts for the child.

They bound memory, CPU time, file growth, new descriptors and new processes. They do not bound system calls.
"""

from __future__ import annotations

import math
import resource
import time

from flowcage.protocol.limits import MAX_LIMIT, MIB, Limits
from flowcage.protocol.messages import Layer

# Beside the engine's heap: messages of up to 8 MiB, parsed and encoded.
_ROOM_FOR_MESSAGES = 192 * MIB
# The least that a child needs to parse a message and answer it with an error.
_ROOM_TO_ANSWER = 32 * MIB
_STACK_BYTES = 8 * MIB
_UNLIMITED = 2**62
# Limits of memory that the kernel holds for a process; macOS does not have them all.
_QUEUES = [
    name for name in ("RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_SIGPENDING") if hasattr(resource, name)
]


def apply(limits: Limits, mapped: int) -> tuple[Limits, dict[str, Layer]]:
    """Set every limit, soft and hard.

    Args:
        limits: the limits that `initialize` asked for.
        mapped: virtual memory of this process, in bytes.

    Returns:
        The effective limits, and the outcome of each layer by its name.
    """
    limits = _effective(limits, mapped)
    memory, used = limits.address_space_bytes, math.ceil(time.process_time())
    cpu = used + limits.cpu_seconds
    return limits, {
        "memory": _set(f"RLIMIT_AS {memory}", [(resource.RLIMIT_AS, memory, memory)]),
        # SIGXCPU, at the soft limit, tells the host the cause. With both limits equal the kernel sends
        # SIGKILL, which tells nothing.
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
    """Set RLIMIT_AS and RLIMIT_CPU to a server's ceilings, before the peer's first message is read.

    `apply` never raises a hard limit, so what the peer asks for later stays below.
    """
    memory = ceilings.address_space_bytes
    _lower(resource.RLIMIT_AS, memory, memory)
    cpu = math.ceil(time.process_time()) + ceilings.cpu_seconds
    _lower(resource.RLIMIT_CPU, cpu, cpu + 1)


def _effective(limits: Limits, mapped: int) -> Limits:
    """The limits that can be kept: a hard limit that the parent process set cannot be raised."""
    asked = limits.address_space_bytes or mapped + limits.memory_bytes + _ROOM_FOR_MESSAGES
    memory = min(max(asked, mapped + _ROOM_TO_ANSWER), _ceiling(resource.RLIMIT_AS), MAX_LIMIT)
    cpu_left = _ceiling(resource.RLIMIT_CPU) - 1 - math.ceil(time.process_time())
    return limits._replace(
        address_space_bytes=memory,
        # The heap is full before the address space is, so that memory is left to answer with the failure.
        memory_bytes=min(limits.memory_bytes, max(1, memory - mapped - _ROOM_TO_ANSWER // 2)),
        cpu_seconds=max(1, min(limits.cpu_seconds, cpu_left)),
        stack_bytes=min(limits.stack_bytes, _widen_stack() // 2),
    )


def _widen_stack() -> int:
    """Raise a lower soft limit of the stack to what recursion may use.

    Returns:
        The size of the stack, in bytes.
    """
    size = min(_STACK_BYTES, _ceiling(resource.RLIMIT_STACK))
    resource.setrlimit(resource.RLIMIT_STACK, (size, size))
    return size


def _ceiling(which: int) -> int:
    """The hard limit, which only CAP_SYS_RESOURCE can raise."""
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
    """Set a limit; one that is lower already stays."""
    ceiling = _ceiling(which)
    resource.setrlimit(which, (min(soft, ceiling), min(hard, ceiling)))
