"""What a handler raises that is no answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio


class faults_of_handler:
    """Give the errors of a block to `fail`, and let cancellations and interrupts through.

    A handler with a nursery of its own raises a group, which may have our cancellation beside its errors.
    """

    __slots__ = ("_fail",)

    def __init__(self, fail: Callable[[Exception], None]) -> None:
        self._fail = fail

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: Any, raised: BaseException | None, _traceback: Any) -> bool:
        if isinstance(raised, BaseExceptionGroup):
            return self._part(raised)
        if not isinstance(raised, Exception):
            return False
        self._fail(raised)
        return True

    def _part(self, group: BaseExceptionGroup[Any]) -> bool:
        cancelled, errors = group.split(trio.Cancelled)
        if errors is not None:
            if not isinstance(errors, ExceptionGroup):
                return False  # KeyboardInterrupt, SystemExit
            self._fail(errors)
        if cancelled is not None:
            raise cancelled from None
        return True
