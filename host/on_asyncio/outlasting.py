"""Waiting on asyncio that cancellation does not cut short."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any


async def outlast(future: asyncio.Future[Any], cancel: Callable[[], object] = lambda: None) -> None:
    """Wait until a future is done, however often the task is cancelled.

    Args:
        future: it is not cancelled.
        cancel: is called at each cancellation; has the future come to its end soon.

    Raises:
        asyncio.CancelledError: afterwards, where the task was cancelled.
    """
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            with nullcontext() if cancelled is None else _shielded():
                await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
            cancel()
    if cancelled is not None:
        raise cancelled


def _shielded() -> AbstractContextManager[object]:
    """A block that cancel scopes of anyio leave alone: they cancel a task in each turn of the loop."""
    anyio = sys.modules.get("anyio")  # not imported by anybody: then there are none
    return nullcontext() if anyio is None else anyio.CancelScope(shield=True)
