"""What a run may use: one typed object, finite by default, units in the names."""

from __future__ import annotations

from typing import Any, NamedTuple

from flowcage.protocol.framing import DEFAULT_MAX_MESSAGE_BYTES

MIB = 1024 * 1024
QUEUED_ITEM_BYTES = 100
DAY_MS = 24 * 60 * 60 * 1000


class Limits(NamedTuple):
    """The effective limits of one run. On the wire the same names in camelCase.

    Attributes:
        memory_bytes: heap of the QuickJS engine.
        stack_bytes: C stack that JavaScript may use.
        step_timeout_ms: wall clock for one message that runs JavaScript; renewed at each.
        cpu_seconds: user and system CPU of the whole child, cumulative.
        address_space_bytes: virtual memory of the child (RLIMIT_AS); 0 in a request that leaves it
            out, and then what the child has mapped plus `memory_bytes` and room for its messages.
        max_sleep_ms: longest ``sleep()``.
        max_message_bytes: longest line in either direction.
        max_pending_requests: requests that may be outstanding at once.
        max_queued_bytes: calls and requests queued between two messages, in UTF-16 code units of JSON; each
            counts `QUEUED_ITEM_BYTES` more, for what it costs to carry.
    """

    memory_bytes: int = 128 * MIB
    stack_bytes: int = MIB
    step_timeout_ms: int = 5_000
    cpu_seconds: int = 60
    address_space_bytes: int = 0
    max_sleep_ms: int = 365 * DAY_MS
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    max_pending_requests: int = 20_000
    max_queued_bytes: int = 4 * MIB

    def to_wire(self) -> dict[str, int]:
        """The object that `initialize` carries."""
        return {WIRE_NAMES[name]: value for name, value in self._asdict().items() if value}


def camel_case(name: str) -> str:
    """A Python name as the wire, and everything else in JSON, spells it."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


WIRE_NAMES: dict[str, str] = {name: camel_case(name) for name in Limits._fields}
FIELD_NAMES: dict[str, str] = {wire: name for name, wire in WIRE_NAMES.items()}

# RLIMIT_STACK is 8 MiB nearly everywhere; past it the engine's own guard comes too late.
MAX_STACK_BYTES = 4 * MIB
# Larger than any double-exact integer is a mistake, and would overflow the kernel's fields.
MAX_LIMIT = 2**53 - 1


def from_wire(members: dict[str, Any]) -> Limits:
    """Build limits from checked wire members; unknown members are ignored, missing ones default."""
    known = {FIELD_NAMES[name]: value for name, value in members.items() if name in FIELD_NAMES}
    return Limits(**known)


def effective(asked: Limits) -> Limits:
    """What the child makes of the limits it is asked for; the answer to `initialize` tells."""
    return asked._replace(stack_bytes=min(asked.stack_bytes, MAX_STACK_BYTES))


def refuse_absurd(limits: Limits) -> None:
    """Raise ValueError for limits that no child could keep, naming the field.

    Every limit is a whole number from 1 to `MAX_LIMIT`; `address_space_bytes` may be 0.
    """
    for name, value in limits._asdict().items():
        least = 0 if name == "address_space_bytes" else 1
        if type(value) is not int or not least <= value <= MAX_LIMIT:
            raise ValueError(f"{name} must be a whole number from {least} to {MAX_LIMIT}, not {value!r}")
    if 0 < limits.address_space_bytes < limits.memory_bytes:
        raise ValueError(
            f"address_space_bytes ({limits.address_space_bytes}) is less than memory_bytes "
            f"({limits.memory_bytes}), which is a part of it"
        )
