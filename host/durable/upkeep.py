"""What a store does with its values beside runs: it seals them anew, and sweeps what lies outside of it."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Resealed(NamedTuple):
    """How many values were sealed anew, and what is wrong with those that could not be."""

    changed: int
    damaged: list[str]


class Swept(NamedTuple):
    """What a sweep has found.

    Attributes:
        removed: objects that were left by hosts that ended before a commit, or between one and a removal.
        missing: objects that the store refers to and that are not there.
    """

    removed: list[str]
    missing: list[str]


class Upkeep(Protocol):
    """A part of `Store`."""

    async def reseal(self) -> Resealed:
        """Seal anew what has not the key of new values, in small transactions beside running hosts.

        Raises:
            Locked: an old key is missing.
            WrongKeys: the store was opened without keys.
        """

    async def sweep(self, before: int, *, dry_run: bool = False) -> Swept:
        """Remove objects outside of the database that were made before a time and that nothing refers to.

        Args:
            before: milliseconds since 1970, longer ago than a write may wait for its commit.
            dry_run: whether nothing is removed.
        """
