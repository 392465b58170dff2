"""The most that a run of the queue may have of each limit, whatever it was submitted with.

What its core decides by is lowered in the store, before anything has happened in it: the history of a run is
read by these rules everywhere. All else is lowered in each of its lives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.store import Store
from flowcage.host.resume.new.queued import MAX_RETRIES, as_made, retries_of, with_retries
from flowcage.host.run.core.rules import Rules
from flowcage.host.run.limits import COUNTS, by_field, host_limits, limits_of_host, with_limits
from flowcage.host.run.options import RunOptions
from flowcage.protocol.limits import WIRE_NAMES, Limits
from flowcage.protocol.messages import Json

# The kind of a diagnostic: a worker holds the run to less than it asked for.
LIMITS_LOWERED = "limits_lowered"
_RETRIES = "retries"


@dataclass(frozen=True)
class Ceilings:
    """By names of limits, as in `flowcage.host.run.limits.NAMES`, and ``retries``.

    Raises:
        ValueError: a limit that there is not, or a value that it cannot have.
    """

    most: Mapping[str, float] = field(default_factory=dict)
    _fields: Mapping[str, float] = field(init=False, repr=False)
    _retries: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        limits = dict(self.most)
        retries = limits.pop(_RETRIES, MAX_RETRIES)
        if type(retries) is not int or not 0 <= retries <= MAX_RETRIES:
            raise ValueError(f"retries must be a whole number from 0 to {MAX_RETRIES}, not {retries!r}")
        object.__setattr__(self, "_fields", by_field(limits))
        object.__setattr__(self, "_retries", retries)

    def within(self, other: Ceilings) -> Ceilings:
        """The lower of both."""
        both = [{**each._fields, _RETRIES: each._retries} for each in (self, other)]
        return Ceilings(
            {name: min(each[name] for each in both if name in each) for name in {**both[0], **both[1]}}
        )

    def options(self, options: RunOptions) -> RunOptions:
        """Options of a run, lowered."""
        of_host = {name: self._lower(name, value) for name, value in limits_of_host(options).items()}
        limits = {name: self._lower(name, value) for name, value in options.limits._asdict().items()}
        if space := limits["address_space_bytes"]:  # the heap is a part of it
            limits["memory_bytes"] = min(space, limits["memory_bytes"])
        return replace(options, limits=Limits(**limits), **of_host)

    def _lower(self, name: str, value: Any) -> Any:
        most = self._fields.get(name)
        if most is None:
            return value
        return min(value or most, most)  # 0 is no limit

    def _rules(self, rules: Rules) -> Rules:
        return rules._replace(**{name: self._lower(name, getattr(rules, name)) for name in COUNTS})

    async def hold(self, store: Store, record: RunRecord, epoch: int) -> Held:
        """Have a run that was claimed held to them.

        Raises:
            NotResumable: its settings are damaged.
            Fenced: another host has it.
        """
        if not self.most:
            return Held(record)
        settings = with_retries(record.settings, self._retries)
        rules = record.rules if record.entries else self._rules(record.rules)
        if rules != record.rules:
            await store.hold_to(record.summary.run_id, epoch, rules)
        notes = () if record.entries else tuple(self._notes(record))
        return Held(record._replace(rules=rules, settings=settings), self, notes)

    def _notes(self, record: RunRecord) -> Iterator[Json]:
        """What is lower than what a run was made with, in words."""
        asked = with_limits(as_made(_ANY, record), record.workflows[""].limits)
        lowered = _named(self.options(asked)) | {_RETRIES: self._retries}
        changes = [
            f"{name} from {value:,} to {lowered[name]:,}"
            for name, value in (_named(asked) | {_RETRIES: retries_of(record.settings)}).items()
            if value > lowered[name] or (name != _RETRIES and lowered[name] > value == 0)  # 0: without one
        ]
        if changes:
            yield {"kind": LIMITS_LOWERED, "message": f"the worker has lowered limits: {', '.join(changes)}"}


class Held(NamedTuple):
    """A run that is held to ceilings: what is known of it then, and diagnostics of its first life."""

    record: RunRecord | None
    ceilings: Ceilings = Ceilings()
    notes: tuple[Json, ...] = ()


def _named(options: RunOptions) -> dict[str, float]:
    return {name: getattr(options.limits, field) for field, name in WIRE_NAMES.items()} | host_limits(options)


NO_CEILINGS, NOT_HELD = Ceilings(), Held(None)
_ANY = RunOptions()
