"""The children of one workflow, one after another, as they are measured."""

from __future__ import annotations

from typing import NamedTuple

import trio

from flowcage.host.process.supervisor import Child


class Used(NamedTuple):
    """By children that have ended.

    Attributes:
        user_cpu_seconds, system_cpu_seconds, messages, bytes_sent, bytes_received: summed up.
        peak_rss_bytes: of the one that had the highest.
    """

    user_cpu_seconds: float = 0.0
    system_cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    messages: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0

    def plus(self, child: Child) -> Used:
        """Together with another, which may be alive."""
        channel, ended = child.channel, child.ended
        return Used(
            round(self.user_cpu_seconds + (ended.user_cpu_seconds if ended else 0.0), 6),
            round(self.system_cpu_seconds + (ended.system_cpu_seconds if ended else 0.0), 6),
            max(self.peak_rss_bytes, ended.peak_rss_bytes if ended else 0),
            self.messages + channel.messages,
            self.bytes_sent + channel.bytes_sent,
            self.bytes_received + channel.bytes_received,
        )


class Succession:
    """Of one workflow: mostly one child, and a further one after each nap.

    Attributes:
        last: the one that was started last.
        earlier: what those before it have used.
        earlier_seconds: from the launch of the first to that of the last.
    """

    def __init__(self) -> None:
        self._began = 0.0
        self.last: Child | None = None
        self.earlier = Used()
        self.earlier_seconds = 0.0

    def follow(self, child: Child) -> None:
        """Take the next, which was launched just now."""
        if self.last is None:
            self._began = trio.current_time()
        else:
            self.earlier = self.earlier.plus(self.last)
            self.earlier_seconds = trio.current_time() - self._began
        self.last = child

    @property
    def used(self) -> Used:
        """By all of them, until now."""
        return self.earlier if self.last is None else self.earlier.plus(self.last)
