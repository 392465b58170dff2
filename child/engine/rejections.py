"""Promises that were rejected without a handler (ECMA-262, 27.2.1.9, HostPromiseRejectionTracker)."""

from __future__ import annotations

from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.context import Context

# A workflow can reject millions of promises; the first ones are enough for its author.
MAX_TRACKED = 20


class UnhandledRejections:
    """The rejected promises that have no handler. Each is retained, so that it is not collected.

    Args:
        context: the context whose promises are tracked, from here on.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._promises: dict[int, JSValue] = {}
        context.runtime.track_rejections(self)

    @property
    def are_there(self) -> bool:
        """Whether there is one."""
        return bool(self._promises)

    def take(self) -> list[JSValue]:
        """Take the reasons of the promises that have no handler; the innermost scope owns them."""
        promises, self._promises = self._promises, {}
        reasons = [self._context.promise_result(promise) for promise in promises.values()]
        for promise in promises.values():
            self._context.release(promise)
        return reasons

    def on_rejection(self, promise: JSValue, *, is_handled: bool) -> None:
        """Called by the engine: a promise was rejected without a handler, or has got its first one later."""
        key = promise.payload
        if is_handled:
            if (held := self._promises.pop(key, None)) is not None:
                self._context.release(held)
        elif len(self._promises) < MAX_TRACKED:
            self._promises[key] = self._context.retain(promise)
