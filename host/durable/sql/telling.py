"""Telling of a store that takes nothing: only where that lasts, and once."""

from __future__ import annotations

from collections.abc import Callable

_TOLD_AFTER_SECONDS = 2.0


class Telling:
    """Of one committing thread, which alone calls this.

    Args:
        tell: as `StoreOptions.on_trouble`; None tells nobody.
    """

    def __init__(self, tell: Callable[[str | None], None] | None) -> None:
        self._tell = tell
        self._is_told = False

    def has_lasted(self, seconds: float, why: str | None) -> None:
        """Nothing could be written for so long."""
        if self._tell is not None and not self._is_told and seconds > _TOLD_AFTER_SECONDS:
            self._is_told = True
            self._tell(why)

    def is_over(self) -> None:
        """Something was written."""
        if self._is_told and self._tell is not None:
            self._is_told = False
            self._tell(None)
