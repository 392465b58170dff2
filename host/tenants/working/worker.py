"""What a worker takes from the queue of a store, and how it is called there."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flowcage.host.durable.store import Store
from flowcage.host.resume.new.ceilings import Ceilings
from flowcage.host.resume.new.queued import require_pool
from flowcage.host.run.arguments import require_type
from flowcage.host.run.limits import refuse_absurd_of_host

# Runs mostly wait for agents; those that compute have turns by the kernel.
SLOTS_PER_CPU = 8


def _machine() -> str:
    return f"{socket.gethostname()[:60]}-{os.getpid()}"


@dataclass(frozen=True)
class Worker:
    """A host's part in a cluster: what it takes from the queue of its store.

    Attributes:
        pools: it takes runs of these; "" is the usual one.
        slots: runs at once that it has taken; further ones wait in the store. None: eight for each CPU.
        name: for people; None: of this machine and process.
        marks: what it can replay beside what it makes itself, as `flowcage cluster` shows it of other
            workers: runs that such a worker has begun.
        max_cost_usd: what the agents of each run that it takes may cost, in US dollars, with all that the run
            has cost before; whatever ceiling it was submitted with. None: that ceiling alone.
        limits: the most that each run that it takes may have, by names of limits as for `Host.run`, and
            ``retries``, whatever it was submitted with; or a function that has them by tenant.

    Raises:
        TypeError, ValueError: one of them is impossible.
    """

    pools: Sequence[str] = ("",)
    slots: int | None = None
    name: str | None = None
    marks: Sequence[str] = ()
    max_cost_usd: float | None = None
    limits: Mapping[str, float] | Callable[[str], Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what in ("pools", "marks"):
            object.__setattr__(self, what, _texts(what, getattr(self, what)))
        if not self.pools:
            raise ValueError('pools must have one name at least; "" is that of the usual pool')
        if self.slots is not None and (type(self.slots) is not int or self.slots < 1):
            raise ValueError(f"slots must be a whole number above 0, not {self.slots!r}")
        if self.name is not None:
            require_type("name", self.name, str)
            require_pool("name", self.name)
        if self.max_cost_usd is not None:
            refuse_absurd_of_host({"max_cost_usd": self.max_cost_usd})
        if not callable(self.limits):
            require_type("limits", self.limits, Mapping)
            Ceilings(self.limits)

    def ceilings(self, tenant: str) -> Ceilings:
        """On the limits of each run of a tenant. Raises ValueError where a function has told others."""
        return Ceilings(self.limits(tenant) if callable(self.limits) else self.limits)

    @property
    def most(self) -> int:
        """Runs at once."""
        return self.slots or SLOTS_PER_CPU * (os.cpu_count() or 1)

    @property
    def called(self) -> str:
        """Its name."""
        return self.name or _machine()


def as_worker(given: Worker | bool, store: Store | None) -> Worker | None:
    """What a host was told to be.

    Raises:
        TypeError, ValueError: it is none, or there is no store.
    """
    if given is False:
        return None
    worker = Worker() if given is True else given
    require_type("worker", worker, Worker)
    if store is None:
        raise ValueError("worker needs a store that has the queue; give the host one, Host(store=…)")
    return worker


def _texts(what: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"{what} must be texts, such as ('', 'gpu'), not {given!r:.200}")
    found = tuple(dict.fromkeys(given))
    for each in found:
        require_type(f"each of {what}", each, str)
        require_pool(f"each of {what}", each)
    return found
