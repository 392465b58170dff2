"""A nursery whose body can raise an error that callers catch by its class."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def open_nursery_raising(kind: type[Exception]) -> AsyncIterator[trio.Nursery]:
    """A nursery that raises an error of its body as it is, where trio would wrap it in an exception group.

    Such an error cancels the tasks of the nursery, as any error does. Errors of the tasks, and other errors
    of the body, come in a group; they replace the body's.

    Args:
        kind: the class of errors that are raised alone.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except kind as error:
            failure = error
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
