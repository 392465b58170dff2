"""Telling of a store that takes nothing: only where that lasts, and once."""

from __future__ import annotations

from collections.abc import Callable

from flowcage.host.terminal.log import logger, reason_of

_TOLD_AFTER_SECONDS = 2.0
_LOG = logger("store")


class Telling:
    """Of one committing thread, which alone calls this.

    Args:
        tell: as `StoreOptions.on_trouble`; None tells nobody.
    """

    def __init__(self, tell: Callable[[str | None], None] | None) -> None:
        self._tell = tell
        self._is_told = self._is_broken = False

    def has_lasted(self, seconds: float, why: str | None) -> None:
        """Nothing could be written for so long."""
        if self._is_told or seconds <= _TOLD_AFTER_SECONDS:
            return
        self._is_told = True
        fields = {"reason": reason_of(why)}
        _LOG.warning("the store cannot be written, and runs wait for it: %s", fields["reason"], extra=fields)
        if self._tell is not None:
            self._tell(why)

    def is_over(self) -> None:
        """Something was written."""
        if not self._is_told:
            return
        self._is_told = False
        _LOG.info("the store can be written again")
        if self._tell is not None:
            self._tell(None)

    def is_broken(self, why: str) -> None:
        """Nothing is written any more."""
        if self._is_broken:
            return
        self._is_broken = True
        fields = {"reason": reason_of(why)}
        _LOG.error("the store takes nothing any more: %s", fields["reason"], extra=fields)
