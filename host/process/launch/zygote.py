"""The zygote launcher: children are forked from a process that has everything loaded, ten times as fast.

All children of one zygote share its address-space layout and hash seed, so one that leaks them aims an attack
on the next. Give each tenant a launcher of its own; see `flowcage.child.zygote` for the other side.
"""

from __future__ import annotations

from contextlib import suppress

import trio

from flowcage.host.outcome.errors import LaunchFailed
from flowcage.host.process.launch.launcher import Spawned, close_all, open_pipes
from flowcage.host.process.launch.zygote_process import Lost, Warm
from flowcage.protocol.terms import Terms

# Layout and hash seed are worth knowing only so long.
MAX_FORKS = 1_000
# A new zygote loads while the old one serves the last of its forks.
_HEAD_START = 50


class Zygote:
    """Forks children from a warm process, which is started when it is first needed. Linux only.

    Close it with `aclose`. Children outlive their zygote: they are this process's own.

    Args:
        max_forks: children of one process, before another one takes its place.
        terms: of the peers of all children, where they are not this program's own.
    """

    def __init__(self, max_forks: int = MAX_FORKS, terms: Terms | None = None) -> None:
        self._terms = terms
        self._max_forks = max_forks
        self._lock = trio.Lock()
        self._current: Warm | None = None
        self._next: Warm | None = None
        self._retired: list[Warm] = []
        self._is_closed = False

    async def launch(self) -> Spawned:
        """Fork a child. It is in the zygote's process group until it closes its cage.

        Raises:
            LaunchFailed: no descriptors or processes are left, or a fresh zygote could not do it either.
        """
        try:
            pipes = open_pipes()
        except OSError as error:
            raise LaunchFailed(f"no child could be started: {error}") from error
        try:
            pid, inherited_bytes = await self.fork(pipes.theirs)
        except BaseException:
            close_all(pipes.ours)
            raise
        finally:
            close_all(pipes.theirs)
        return Spawned(pid, *pipes.ours, inherited_bytes)

    def distrust(self) -> None:
        """Have the next child come from a new zygote."""
        self._retire()

    async def aclose(self) -> None:
        """End every process of this launcher's own and reap it; children that it launched are left alone."""
        self._is_closed = True
        with trio.CancelScope(shield=True):
            async with self._lock:  # whoever is forking may finish
                self._retire()
            if self._next is not None:
                self._retired.append(self._next)
                self._next = None
            for warm in self._retired:
                await warm.end()
        self._retired.clear()

    async def fork(self, descriptors: tuple[int, int, int]) -> tuple[int, int]:
        """Fork a child with these as its stdin, stdout and stderr; they stay the caller's to close.

        Returns:
            Its process id, and how much memory it shares with the zygote in bytes.

        Raises:
            LaunchFailed: as `launch`.
        """
        async with self._lock:
            if self._is_closed:
                raise LaunchFailed("the launcher is closed")
            return await self._fork(descriptors)

    async def _fork(self, descriptors: tuple[int, int, int]) -> tuple[int, int]:
        for _attempt in range(2):
            warm = self._serving()
            try:
                await warm.wait_ready()
                return await warm.fork(descriptors), warm.private_bytes
            except Lost as lost:
                reason = lost
                await self._bury(warm)
        raise LaunchFailed(f"no child could be forked, by a fresh zygote neither: {reason}")

    def _serving(self) -> Warm:
        if self._current is not None and self._current.forks >= self._max_forks:
            self._retire()
        for warm in self._retired:
            warm.leave()
        self._retired = [warm for warm in self._retired if not warm.is_gone()]
        if self._current is None:
            self._current, self._next = self._next or Warm(self._terms), None
        elif self._next is None and self._current.forks >= self._max_forks - _HEAD_START:
            with suppress(LaunchFailed):  # the current one still serves
                self._next = Warm(self._terms)
        return self._current

    async def _bury(self, warm: Warm) -> None:
        if self._current is warm:
            self._current = None
        with trio.CancelScope(shield=True):
            await warm.end()

    def _retire(self) -> None:
        # It leaves when the next launch begins, or at the end: one that is under way may be talking to it.
        if self._current is not None:
            self._retired.append(self._current)
            self._current = None
