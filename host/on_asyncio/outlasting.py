"""Waiting on asyncio that cancellation does not cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
            cancel()
    if cancelled is not None:
        raise cancelled
