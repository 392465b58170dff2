"""Every limit of a run by its name on the wire: from a file or the command line, and in the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowcage.protocol.limits import FIELD_NAMES, WIRE_NAMES, camel_case

if TYPE_CHECKING:
    from flowcage.host.options import RunOptions

# Those that the host itself holds a run to; the others are the child's.
_HOST_FIELDS = {
    camel_case(name): name
    for name in (
        "timeout_seconds",
        "answer_grace_seconds",
        "max_received_bytes",
        "max_agents",
        "max_total_agents",
        "max_children",
    )
}
NAMES = (*WIRE_NAMES.values(), *_HOST_FIELDS)


def with_limits(options: RunOptions, members: Mapping[str, Any]) -> RunOptions:
    """The options with these limits.

    Args:
        options: what holds for limits that are not named.
        members: names as in `NAMES`.

    Raises:
        ValueError: a name that there is not, or a value that no limit can have; the message says which.
    """
    if unknown := sorted(set(members) - set(NAMES)):
        raise ValueError(f"there is no limit {unknown[0]!r}; there are {', '.join(NAMES)}")
    for name, value in members.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} must be a number, not {value!r}")
    of_child = {FIELD_NAMES[name]: value for name, value in members.items() if name in FIELD_NAMES}
    of_host = {_HOST_FIELDS[name]: value for name, value in members.items() if name in _HOST_FIELDS}
    return replace(options, limits=options.limits._replace(**of_child), **of_host)


def host_limits(options: RunOptions) -> dict[str, float]:
    """The host's own limits, named as the child's are."""
    return {name: getattr(options, field) for name, field in _HOST_FIELDS.items()}
