"""The host of a server, and the way to it: from asyncio to its thread; none where the server is on trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias, TypeVar

from flowcage.host.durable.store import Store
from flowcage.host.on_asyncio.crossing import in_host
from flowcage.host.on_asyncio.host import Host as HostOnAsyncio
from flowcage.host.run.event_loops import require_asyncio, require_trio
from flowcage.host.tenants.host import Host as HostOnTrio
from flowcage.host.ui.api.answering import Call, directly

T = TypeVar("T")

AnyHost: TypeAlias = HostOnAsyncio | HostOnTrio


class Side(NamedTuple):
    """Of one server.

    Attributes:
        host: as it was given; its methods are awaited by the server.
        store: of the host; awaited in functions that are given to `call`.
        call: awaits them.
    """

    host: AnyHost
    store: Store
    call: Call


def side_of(host: AnyHost) -> Side:
    """The side of a host.

    Raises:
        TypeError: it is none.
        ValueError: it has no store.
    """
    if not isinstance(host, HostOnAsyncio | HostOnTrio):
        raise TypeError(f"host must be a Host of flowcage.asyncio or of flowcage, not {type(host).__name__}")
    if host.store is None:
        raise ValueError("RunRoutes tell of runs that a store keeps; give the host one, Host(store=…)")
    return Side(host, host.store, _from_asyncio if isinstance(host, HostOnAsyncio) else _on_trio)


async def _from_asyncio(function: Callable[[], Awaitable[T]], /) -> T:
    require_asyncio("RunRoutes of a Host of flowcage.asyncio")
    return await in_host(function)


async def _on_trio(function: Callable[[], Awaitable[T]], /) -> T:
    require_trio("RunRoutes of a Host of flowcage")
    return await directly(function)
