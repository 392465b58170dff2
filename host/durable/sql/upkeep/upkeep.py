"""The part of a store over a database that keeps its values in order: their keys, and their objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import trio

from flowcage.host.durable.sql.database import Database
from flowcage.host.durable.sql.payloads import Payloads
from flowcage.host.durable.sql.upkeep.resealing import COLUMNS, Reseal, look
from flowcage.host.durable.sql.upkeep.sweeping import named, sweep
from flowcage.host.durable.sql.write import Write
from flowcage.host.durable.ticket import Ticket
from flowcage.host.durable.upkeep import Resealed, Swept

T = TypeVar("T")


class SqlUpkeep(ABC):
    """What `Upkeep` asks for."""

    _payloads: Payloads

    async def reseal(self) -> Resealed:
        changed, damaged = 0, list[str]()
        for column in COLUMNS:
            after: tuple[Any, ...] | None = ()
            while after is not None:
                looked = await self._read(partial(look, payloads=self._payloads, column=column, after=after))
                damaged += looked.damaged
                if looked.stale:
                    done = await self._put(Reseal(column, looked.stale))
                    changed, damaged = changed + done.changed, damaged + done.damaged
                after = looked.after
        return Resealed(changed, damaged)

    async def sweep(self, before: int, *, dry_run: bool = False) -> Swept:
        outside = self._payloads.outside
        if outside is None:
            return Swept([], [])
        found = await trio.to_thread.run_sync(lambda: list(outside.objects.names()))
        names = await self._read(named)
        return await trio.to_thread.run_sync(
            lambda: sweep(outside.objects, found, names, before, dry_run=dry_run)
        )

    @abstractmethod
    async def _read(self, read: Callable[[Database], T]) -> T: ...

    @abstractmethod
    def _put(self, write: Write[T]) -> Ticket[T]: ...
