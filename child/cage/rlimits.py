"""Resource limits (getrlimit(2)): what the kernel counts for the child.

They bound memory, CPU time, file growth, new descriptors and new processes. They do not bound system calls.
"""

from __future__ import annotations

import math
import resource
import time

from flowcage._hints import TypeAlias
from flowcage.protocol.limits import MAX_LIMIT, MIB, Limits
from flowcage.protocol.messages import Layer

# Beside the engine's heap: messages of up to 8 MiB, parsed and encoded.
_ROOM_FOR_MESSAGES = 192 * MIB
# The least that a child needs to parse a message and answer it with an error.
_ROOM_TO_ANSWER = 32 * MIB
_STACK_BYTES = 8 * MIB
_UNLIMITED = 2**62
_Wanted: TypeAlias = tuple[int, int, int]  # which limit, soft, hard
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
    layers = _wanted(limits, math.ceil(time.process_time()))
    return limits, {name: _set(detail, wanted) for name, (detail, wanted) in layers.items()}


def planned(limits: Limits) -> list[_Wanted]:
    """What `apply` sets in a child that was just forked from this process and has these limits.

    Args:
        limits: the effective ones, as `apply` has returned them in such a child.
    """
    layers = _wanted(limits, used=1)  # of a child that has used some time, and less than a second
    every = [(resource.RLIMIT_STACK, *_stack()), *(each for _, wanted in layers.values() for each in wanted)]
    return [(which, *_lowered(which, soft, hard)) for which, soft, hard in every]


def _wanted(limits: Limits, used: int) -> dict[str, tuple[str, list[_Wanted]]]:
    """By layer: what is told of it, and the limits that it consists of, in the order in which they are set.

    Args:
        limits: the effective ones.
        used: seconds of CPU time that this process has used, rounded up.
    """
    memory, cpu = limits.address_space_bytes, used + limits.cpu_seconds
    return {
        "memory": (f"RLIMIT_AS {memory}", [(resource.RLIMIT_AS, memory, memory)]),
        # SIGXCPU, at the soft limit, tells the host the cause. With both limits equal the kernel sends
        # SIGKILL, which tells nothing.
        "cpu": (f"RLIMIT_CPU {limits.cpu_seconds} s", [(resource.RLIMIT_CPU, cpu, cpu + 1)]),
        "files": (
            "RLIMIT_FSIZE 0, RLIMIT_NOFILE 0",
            [(resource.RLIMIT_FSIZE, 0, 0), (resource.RLIMIT_NOFILE, 0, 0)],
        ),
        "processes": ("RLIMIT_NPROC 0 (the kernel exempts uid 0)", [(resource.RLIMIT_NPROC, 0, 0)]),
        "core": ("RLIMIT_CORE 0", [(resource.RLIMIT_CORE, 0, 0)]),
        "kernel_memory": (f"{', '.join(_QUEUES)} 0", [(getattr(resource, name), 0, 0) for name in _QUEUES]),
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
    size, _ = stack = _stack()
    resource.setrlimit(resource.RLIMIT_STACK, stack)
    return size


def _stack() -> tuple[int, int]:
    size = min(_STACK_BYTES, _ceiling(resource.RLIMIT_STACK))
    return size, size


def _ceiling(which: int) -> int:
    """The hard limit, which only CAP_SYS_RESOURCE can raise."""
    _, hard = resource.getrlimit(which)
    return _UNLIMITED if hard == resource.RLIM_INFINITY else hard


def _set(detail: str, wanted: list[_Wanted]) -> Layer:
    try:
        for which, soft, hard in wanted:
            _lower(which, soft, hard)
    except (OSError, ValueError) as error:
        return Layer(False, f"{detail}: {error}")
    return Layer(True, detail)


def _lower(which: int, soft: int, hard: int) -> None:
    """Set a limit; one that is lower already stays."""
    resource.setrlimit(which, _lowered(which, soft, hard))


def _lowered(which: int, soft: int, hard: int) -> tuple[int, int]:
    ceiling = _ceiling(which)
    return min(soft, ceiling), min(hard, ceiling)
