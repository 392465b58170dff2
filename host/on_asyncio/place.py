"""Where the handlers of an asyncio program run."""

from __future__ import annotations

import asyncio


class Place:
    """Where handlers run: the loop of the program that calls, set when a call or a host begins."""

    loop: asyncio.AbstractEventLoop

    @classmethod
    def here(cls) -> Place:
        """The loop of the caller."""
        place = cls()
        place.enter()
        return place

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Place):
            return NotImplemented
        return getattr(self, "loop", self) is getattr(other, "loop", other)

    __hash__ = None  # type: ignore[assignment]  # the loop is set later

    def enter(self) -> None:
        """Be on the loop of the caller from now on."""
        self.loop = asyncio.get_running_loop()
