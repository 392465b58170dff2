"""The limits of a run: the only file that lists them.

`Limits` has the names, units and defaults, `TABLE` the descriptions. All else follows from them: what
`decode` and `encode` read and write, the names of ``flowcage run --limit``, the members that the prelude
gets, ``schemas/common.json`` and the table in docs/protocol.md (``make generated``).
"""

from collections.abc import Mapping
from types import MappingProxyType

from flowcage._hints import Literal, NamedTuple

MIB = 1024 * 1024
DEFAULT_MAX_MESSAGE_BYTES = 8 * MIB
QUEUED_ITEM_BYTES = 100
DAY_MS = 24 * 60 * 60 * 1000
# A step may take this many times its CPU limit on the wall clock: it ends one that gets less than a tenth of
# a core, and one whose process is stopped.
STEP_WALL_FACTOR = 10


class Limits(NamedTuple):
    """What one run may use; `TABLE` describes each field. On the wire the names are in camelCase.

    0 is no limit: one without a default that was left out or, in effective limits, one that does not hold.
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
        """The JSON object of `initialize`; limits of 0 are left out."""
        return {name: value for name, value in zip(WIRE_NAMES.values(), self, strict=True) if value}


class Limit(NamedTuple):
    """What the schemas and the docs say of one limit.

    Attributes:
        title: its name in a few words.
        description: what it bounds, and in which unit.
        example: a plausible value.
        reported: whether a child reports it in its answer to `initialize`. ``always``: it is in 1.0 from the
            start. ``where it holds``: likewise, but left out where it does not hold. ``if known``: it was
            added to 1.0 later, and older children neither know nor report it.
        can_be_lowered: whether `run` may lower it, when the cage has been closed.
    """

    title: str
    description: str
    example: int
    reported: Literal["always", "where it holds", "if known"] = "always"
    can_be_lowered: bool = True


TABLE: dict[str, Limit] = {
    "memory_bytes": Limit("JavaScript heap", "Heap of the QuickJS engine, in bytes.", 128 * MIB),
    "stack_bytes": Limit(
        "JavaScript stack",
        "C stack that JavaScript may use, in bytes; more than 4 MiB counts as 4 MiB.",
        MIB,
    ),
    "step_timeout_ms": Limit(
        "Time for one step",
        "CPU time for one message that compiles or runs JavaScript, in milliseconds; renewed at each, so "
        "that waiting for the host costs nothing. Ten times as much on the wall clock ends it, too.",
        5_000,
    ),
    "cpu_seconds": Limit(
        "CPU time", "User and system CPU time of the whole run, cumulative, in seconds.", 60
    ),
    "address_space_bytes": Limit(
        "Address space",
        "Virtual memory of the child, in bytes. Left out: what the child has mapped plus memoryBytes and "
        "room for its messages.",
        512 * MIB,
        "where it holds",
        can_be_lowered=False,
    ),
    "max_sleep_ms": Limit("Longest sleep", "Longest sleep() that is not an error, in milliseconds.", 60_000),
    "max_message_bytes": Limit(
        "Longest line",
        "Longest line in either direction, in bytes, its newline not counted.",
        8 * MIB,
        can_be_lowered=False,
    ),
    "max_pending_requests": Limit("Outstanding requests", "Requests that may be outstanding at once.", 16),
    "max_queued_bytes": Limit(
        "Queued calls and requests",
        "Calls and requests queued between two messages, in UTF-16 code units of their JSON text; each "
        f"counts {QUEUED_ITEM_BYTES} more.",
        4 * MIB,
    ),
}


def camel_case(name: str) -> str:
    """A Python name in the spelling of JSON members."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


WIRE_NAMES: dict[str, str] = {name: camel_case(name) for name in Limits._fields}
FIELD_NAMES: dict[str, str] = {wire: name for name, wire in WIRE_NAMES.items()}
# What a child of any 1.x must report.
REQUIRED_WIRE_NAMES = tuple(WIRE_NAMES[name] for name, limit in TABLE.items() if limit.reported == "always")
# What `run` may lower.
LOWERABLE_WIRE_NAMES = tuple(WIRE_NAMES[name] for name, limit in TABLE.items() if limit.can_be_lowered)

# RLIMIT_STACK is 8 MiB on nearly every machine; the engine checks its own limit too late to go near that.
MAX_STACK_BYTES = 4 * MIB
# The largest integer that every double holds exactly (RFC 7493); larger ones would overflow fields of the
# kernel.
MAX_LIMIT = 2**53 - 1


# What a child that reports no limit at all holds to, and what a `run` asks for that lowers none.
NO_LIMITS = Limits(*(0 for _ in Limits._fields))


def unknown_to_child(asked: Limits, held: Limits) -> list[str]:
    """Wire names of limits that were asked for and that the child, being older, does not know.

    Args:
        asked: the limits of `initialize`.
        held: the effective limits that the child reports.
    """
    return [
        WIRE_NAMES[name]
        for name, limit in TABLE.items()
        if limit.reported == "if known"
        and not getattr(held, name)
        and getattr(asked, name) != Limits._field_defaults[name]
    ]


def effective(asked: Limits) -> Limits:
    """The limits that a child applies of those it is asked for; `cage.rlimits` may lower them further."""
    return asked._replace(stack_bytes=min(asked.stack_bytes, MAX_STACK_BYTES))


def lowered(held: Limits, asked: Limits) -> Limits:
    """The limits of a run that asks for lower ones than its child holds to; a higher one changes nothing."""
    pairs = zip(held, asked, strict=True)
    return Limits(*(min(limit, wanted) if wanted else limit for limit, wanted in pairs))


def refuse_absurd(limits: Limits, spelled: Mapping[str, str] = MappingProxyType({})) -> None:
    """Raise ValueError for limits that no child could keep, naming the field.

    Every limit is a whole number from 1 to `MAX_LIMIT`; `address_space_bytes` may be 0.

    Args:
        spelled: by field, the name that the message uses in its place.
    """
    for name, value in limits._asdict().items():
        least = 0 if name == "address_space_bytes" else 1
        if type(value) is not int or not least <= value <= MAX_LIMIT:
            shown = spelled.get(name, name)
            raise ValueError(f"{shown} must be a whole number from {least} to {MAX_LIMIT}, not {value!r}")
    if 0 < limits.address_space_bytes < limits.memory_bytes:
        whole, part = (spelled.get(name, name) for name in ("address_space_bytes", "memory_bytes"))
        raise ValueError(
            f"{whole} ({limits.address_space_bytes}) is less than {part} ({limits.memory_bytes}), "
            "which is a part of it"
        )
