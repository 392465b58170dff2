"""The promise of fair turns, checked pair by pair and without tags.

While two tenants both have something that waits, the turns that each was given, divided by its weight, differ
by at most one turn of each, however long that lasts and whatever either did before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

_ROUNDING = 1e-6


class Fairness:
    """Of one pool whose workers take anything, of tenants without quotas.

    Args:
        weight: of a tenant.
    """

    def __init__(self, weight: Callable[[str], float]) -> None:
        self._weight = weight
        self._waiting: Counter[str] = Counter()
        self._service: dict[str, float] = {}
        self._since: dict[str, tuple[int, dict[str, float]]] = {}  # in which order, and what all had by then

    def waits(self, tenant: str) -> None:
        """A run can be taken."""
        self._waiting[tenant] += 1
        self._service.setdefault(tenant, 0.0)
        if self._waiting[tenant] == 1:
            order = 1 + max((order for order, _ in self._since.values()), default=0)
            self._since[tenant] = (order, dict(self._service))

    def taken(self, tenant: str, *, is_compared: bool) -> None:
        """A run has its turn. Raises AssertionError where it is not fair.

        Args:
            tenant: whose.
            is_compared: whether `waits` was told of the run.
        """
        self._service[tenant] = self._service.get(tenant, 0.0) + 1 / self._weight(tenant)
        if not is_compared:
            return
        for other in self._since:
            if other != tenant:
                self._require(tenant, other)
        self._waiting[tenant] -= 1
        if not self._waiting[tenant]:
            del self._since[tenant]

    def _require(self, one: str, other: str) -> None:
        _, before = max(self._since[one], self._since[other], key=lambda since: since[0])
        given = [self._service[name] - before.get(name, 0.0) for name in (one, other)]
        most = 1 / self._weight(one) + 1 / self._weight(other) + _ROUNDING
        assert given[0] - given[1] <= most, f"{one} had {given[0]} and {other} {given[1]} while both waited"
