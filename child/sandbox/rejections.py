"""Promises that were rejected while nobody waited for them (ECMA-262, 27.2.1.9)."""

from __future__ import annotations

from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.context import Context

# A workflow can make millions; the first few tell the story.
MAX_TRACKED = 20


class UnhandledRejections:
    """The rejections that have no handler yet. Entries hold their promise, so that it is not collected.

    Args:
        context: whose promises are tracked, from now on.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._promises: dict[int, JSValue] = {}
        context.runtime.track_rejections(self)

    def take(self) -> list[JSValue]:
        """The reasons of those that still have no handler, owned by the innermost scope; once each."""
        promises, self._promises = self._promises, {}
        reasons = [self._context.promise_result(promise) for promise in promises.values()]
        for promise in promises.values():
            self._context.release(promise)
        return reasons

    def on_rejection(self, promise: JSValue, *, is_handled: bool) -> None:
        """Called by the engine: a promise was rejected without a handler, or has got one since."""
        key = promise.payload
        if is_handled:
            if (held := self._promises.pop(key, None)) is not None:
                self._context.release(held)
        elif len(self._promises) < MAX_TRACKED:
            self._promises[key] = self._context.retain(promise)
