"""One read for all who ask for a row each while another read is under way.

After each news of a store, everybody who waits for a run looks at it: hundreds in a process before a cluster.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

import trio

T = TypeVar("T")

# Names in one read.
MOST = 500


class Gathered(Generic[T]):
    """Rows by their names.

    Args:
        read: reads those with these names; what is wrong with one of them is that one's alone.
        most: names in one read.
    """

    def __init__(
        self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, T | Exception]]], most: int = MOST
    ) -> None:
        self._read, self._most = read, most
        self._turn = trio.Lock()
        self._next = _Batch[T]()

    async def get(self, name: str) -> T:
        """A row, as it is no earlier than now. Raises what is wrong with it, or with the whole read."""
        batch = self._next
        batch.names.add(name)
        if len(batch.names) >= self._most:
            self._next = _Batch()
        async with self._turn:
            if batch.found is None:  # nobody has read it, or whoever did was cancelled
                if batch is self._next:
                    self._next = _Batch()
                batch.found = await self._found(sorted(batch.names))
        found = batch.found[name]
        if isinstance(found, Exception):
            raise found
        return found

    async def _found(self, names: Sequence[str]) -> Mapping[str, T | Exception]:
        try:
            return await self._read(names)
        except Exception as error:  # of all who asked: each would wait for the server anew
            return dict.fromkeys(names, error)


class _Batch(Generic[T]):
    """Those who ask for rows in one read."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.found: Mapping[str, T | Exception] | None = None
