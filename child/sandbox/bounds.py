"""What it may cost to parse a source: memory and time."""

from __future__ import annotations

from collections.abc import Callable

from flowcage.child.engine.watchdog import Watchdog
from flowcage.protocol.limits import MIB

_MOST_BYTES = 256 * MIB


class Bounds:
    """Asked from inside a parse.

    Args:
        watchdog: the clock of the step that parses.
        mapped_bytes: tells how much is mapped; 0 where it cannot, and then only the text's length is a bound.
        address_space_bytes: what may be mapped in all (RLIMIT_AS).
    """

    def __init__(self, watchdog: Watchdog, mapped_bytes: Callable[[], int], address_space_bytes: int) -> None:
        self._watchdog = watchdog
        self._mapped_bytes = mapped_bytes
        self._address_space_bytes = address_space_bytes

    def begin(self) -> Callable[[], bool]:
        """Begin to count.

        Returns:
            A function that tells whether a parse may go on: half of what was left stays, for the walk through
            the tree and for one allocation that doubles.
        """
        mapped = self._mapped_bytes()
        left = (self._address_space_bytes or mapped + 2 * _MOST_BYTES) - mapped
        most = mapped + min(left // 2, _MOST_BYTES)
        return lambda: not self._watchdog.expired() and self._mapped_bytes() <= most

    def check_time(self) -> None:
        """Raise `Interrupted` if the step's time is over."""
        self._watchdog.check()
