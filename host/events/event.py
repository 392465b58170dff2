"""What all events have."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from flowcage.protocol.limits import camel_case
from flowcage.protocol.messages import MISSING

# The type of each class as events have it; `records` fills it in.
EVENT_TYPES: dict[type[Event], str] = {}


@dataclass(frozen=True)
class Event:
    """Something happened in a run.

    Attributes:
        run_id: which run; a child workflow has its own.
        at: seconds since the root run began, on a monotonic clock.
        seq: counts the events of the root run and all of its child workflows, from 1.
        time: of the day, in UTC (RFC 3339).
        root_run_id: of the run that the host started.
        tenant: whose run it is; "" where no `Host` runs it.
    """

    run_id: str
    at: float
    seq: int = field(default=0, kw_only=True)
    time: str = field(default="", kw_only=True)
    root_run_id: str = field(default="", kw_only=True)
    tenant: str = field(default="", kw_only=True)

    def to_json(self) -> dict[str, Any]:
        """One line of an events file: ``type`` first, names in camelCase; what is `MISSING` is left out."""
        members: dict[str, Any] = {"type": EVENT_TYPES[type(self)]}
        for each in fields(self):  # not `asdict`: it copies logged values, and recurses into them
            value = getattr(self, each.name)
            if value is not MISSING:
                members[camel_case(each.name)] = value.to_json() if hasattr(value, "to_json") else value
        return members
