"""What a handler raises that is no answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio


@contextmanager
def faults_of_handler(fail: Callable[[Exception], None]) -> Iterator[None]:
    """Give the errors of a block to `fail`, and let cancellations and interrupts through.

    A handler with a nursery of its own raises a group, which may have our cancellation beside its errors.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        cancelled, errors = group.split(trio.Cancelled)
        if errors is not None:
            if not isinstance(errors, ExceptionGroup):
                raise  # KeyboardInterrupt, SystemExit
            fail(errors)
        if cancelled is not None:
            raise cancelled from None
    except Exception as error:
        fail(error)
