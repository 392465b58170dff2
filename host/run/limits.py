"""Every limit of a run by its name: in a call, from a file or the command line, and in the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flowcage.host.terminal.near_match import did_you_mean
from flowcage.protocol.limits import FIELD_NAMES, WIRE_NAMES, Limits, camel_case, refuse_absurd

if TYPE_CHECKING:
    from flowcage.host.run.options import RunOptions

# Those that the host itself holds a run to; the others are the child's. Amounts may be fractions, counts not.
_AMOUNTS = ("timeout_seconds", "answer_grace_seconds", "max_received_bytes")
COUNTS = ("max_agents", "max_total_agents", "max_children", "max_total_children")
_ABOVE_ZERO = (*_AMOUNTS, "expires_seconds", "max_cost_usd")
_HOST_FIELDS = {camel_case(name): name for name in (*_AMOUNTS, *COUNTS)}
_values = attrgetter(*_HOST_FIELDS.values())
# As on the wire; the same in Python's spelling are taken, too.
NAMES = (*WIRE_NAMES.values(), *_HOST_FIELDS)
_FIELDS = FIELD_NAMES | _HOST_FIELDS
_FIELD_OF = _FIELDS | {field: field for field in _FIELDS.values()}


def with_limits(options: RunOptions, limits: Limits | Mapping[str, Any], **more: Any) -> RunOptions:
    """The options with these limits.

    Args:
        options: what holds for limits that are not named.
        limits: names as in `NAMES`, or in Python's spelling; or all of the child's.
        more: further fields of the options.

    Raises:
        ValueError: a name that there is not, one limit in both spellings, or a value that no limit can have;
            the message has the name as it was given.
        TypeError: no limits at all.
    """
    if isinstance(limits, Limits):
        return replace(options, limits=limits, **more)
    if not isinstance(limits, Mapping):
        raise TypeError(
            f"limits must be a Limits or a mapping from names to numbers, not {type(limits).__name__}"
        )
    spelled = _spelled(limits)
    values = {field: _number(limits[name], name) for field, name in spelled.items()}
    of_child = {field: value for field, value in values.items() if field in WIRE_NAMES}
    of_host = {field: value for field, value in values.items() if field not in WIRE_NAMES}
    chosen = options.limits._replace(**of_child)
    # Here, where it is known how they are spelled; the options would use the names of their fields.
    refuse_absurd(chosen, WIRE_NAMES | spelled)
    refuse_absurd_of_host(of_host, spelled)
    return replace(options, limits=chosen, **of_host, **more)


def by_field(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Limits by the fields of `Limits` and `RunOptions`. Raises ValueError as `with_limits`."""
    from flowcage.host.run.options import RunOptions

    with_limits(RunOptions(), limits)
    return {field: limits[name] for field, name in _spelled(limits).items()}


def refuse_absurd_of_host(
    values: Mapping[str, Any], spelled: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Raise ValueError for limits that the host cannot hold a run to.

    Args:
        values: by field of `RunOptions`.
        spelled: as `refuse_absurd`.
    """
    for field, value in values.items():
        name = spelled.get(field, field)
        if field in COUNTS and (type(value) is not int or value < 1):
            raise ValueError(f"{name} must be at least 1, not {value!r}")
        if field in _ABOVE_ZERO and not (_is_number(value) and 0 < value < math.inf):
            raise ValueError(f"{name} must be finite and above 0, not {value!r}")


def limits_of_host(options: RunOptions) -> dict[str, Any]:
    """The host's own limits by field."""
    return dict(zip(_HOST_FIELDS.values(), _values(options), strict=True))


def host_limits(options: RunOptions) -> dict[str, float]:
    """The host's own limits, named as the child's are."""
    return dict(zip(_HOST_FIELDS, _values(options), strict=True))


def _spelled(limits: Mapping[str, Any]) -> dict[str, str]:
    """What each field that is named is called in `limits`."""
    spelled: dict[str, str] = {}
    for name in limits:
        field = _FIELD_OF.get(name)
        if field is None:
            near = did_you_mean(str(name), _FIELD_OF if "_" in str(name) else NAMES)
            raise ValueError(f"there is no limit {name!r}" + (near or f"; there are {', '.join(NAMES)}"))
        if field in spelled:
            raise ValueError(f"{spelled[field]} and {name} are the same limit; give it once")
        spelled[field] = name
    return spelled


def _number(value: Any, name: str) -> Any:
    if not _is_number(value):
        raise ValueError(f"{name} must be a number, not {value!r}")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
