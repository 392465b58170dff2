"""The zygote launcher: children are forked from a process in which everything is loaded, ten times as fast.

A `Zygote` is a launcher; a `ZygoteProcess` is one process that it forks from. The other side of the socket
between them is `flowcage.child.zygote`. A forked child is the host's own child (clone(2), CLONE_PARENT), so
it outlives its zygote, and the host reaps it.

All children of one process share its address-space layout and hash seed. A child that leaks them makes an
attack by the next one easier, so every tenant has a `Zygote` of its own, no process forks more than
`max_forks` times, and `distrust` takes it out of use after a crash.

A process is in one of four places: `_next` (loading, while the current one does its last forks), `_current`,
`_retired` (not asked again), or gone. Invariants:

- One fork at a time: `fork` holds the lock. The socket has one reply for each request, and a second task
  would read the first one's pid.
- A fork that was asked for is waited for, whatever is cancelled: a child of whose pid the host does not know
  would never be reaped. Where the zygote dies in between, `ZygoteProcess.end` finds such a child by its
  session. The child that is launched in its place has pipes of its own, since that one may have answered the
  first message already (tests/process/test_prepared_runs.py).
- `_retire` only moves; the socket is closed by the next launch, under the lock, or by `aclose`. `distrust` is
  called without the lock, at a time when another task may wait for a reply on that socket.
- A launch replaces a lost process once. If a new one cannot fork either, the launch fails
  (tests/process/test_zygote.py).
- Every process that was started is reaped: a retired one when it has ended, the others in `_discard` or
  `aclose`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import lru_cache, partial
from typing import TypeVar

import trio

from flowcage.host.outcome.errors import LaunchFailed
from flowcage.host.process.launch import switches
from flowcage.host.process.launch.launcher import Spawned, close_all, not_launched, open_pipes
from flowcage.host.process.launch.zygote_process import ZygoteLost, ZygoteProcess
from flowcage.host.terminal.log import logger, reason_of
from flowcage.protocol.connection import HostConnection
from flowcage.protocol.messages import Initialize
from flowcage.protocol.terms import Terms

_LOG = logger("process")
_T = TypeVar("_T")

# For so many runs a leaked layout stays of use. Starting a zygote costs what a hundred forks do.
MAX_FORKS = 1_000
# Forks before the last one, at which the next zygote is started: it has loaded by the time it is needed.
_HEAD_START = 50


class Zygote:
    """Forks children from a zygote process, which is started at the first launch. Linux only.

    Close it with `aclose`; children that run go on.

    Args:
        max_forks: children of one zygote process, before another one takes its place.
        terms: ceilings and isolation for peers that talk to the children directly (``flowcage serve``); None
            where this program itself does.
        immortal_objects: on CPython 3.12 and 3.13, whether an idle zygote makes its objects immortal, so that
            its children copy fewer pages.
        prepared_cages: whether a zygote prepares the cage of children with a first message that it was told
            before, so that they close it by a list of system calls.
        gathered_memory: whether an idle zygote puts what its children write to on few pages.
        short_cut: whether children let the engine parse what is in order (`child/short_cut.py`).
    """

    def __init__(
        self,
        max_forks: int = MAX_FORKS,
        terms: Terms | None = None,
        *,
        immortal_objects: bool = switches.IMMORTAL_OBJECTS,
        prepared_cages: bool = switches.PREPARED_CAGES,
        gathered_memory: bool = switches.GATHERED_MEMORY,
        short_cut: bool = switches.SHORT_CUT,
    ) -> None:
        own = switches.zygote_options(
            prepared_cages=prepared_cages,
            immortal_objects=immortal_objects,
            gathered_memory=gathered_memory,
        )
        under = () if terms is None else ("--terms", terms.to_argument())
        self._start = partial(ZygoteProcess, *own, *under, *switches.child_options(short_cut=short_cut))
        self._max_forks = max_forks
        self._lock = trio.Lock()
        self._current: ZygoteProcess | None = None
        self._next: ZygoteProcess | None = None
        self._retired: list[ZygoteProcess] = []
        self._is_closed = False

    async def launch(self, initialize: Initialize | None = None) -> Spawned:
        """Fork a child. It is in the zygote's process group until it closes its cage.

        Args:
            initialize: its first message, which the child answers without being sent it; None for none.

        Raises:
            LaunchFailed: no descriptors or processes are left, the launcher is closed, or a second zygote
                failed like the first.
        """
        line = b"" if initialize is None else _line(initialize)
        return await self._twice(partial(self._launch, initialize, line))

    async def _launch(self, initialize: Initialize | None, line: bytes) -> Spawned:
        try:
            pipes = open_pipes()
        except OSError as error:
            raise not_launched("no child could be started", error) from error
        try:
            pid, inherited_bytes = await self._fork(pipes.child_ends, line)
        except BaseException:
            close_all(pipes.host_ends)
            raise
        finally:
            close_all(pipes.child_ends)
        return Spawned(pid, *pipes.host_ends, inherited_bytes, initialize)

    def distrust(self) -> None:
        """Fork the next child from a new zygote process."""
        if self._current is not None:
            _LOG.warning("a child crashed: its zygote is replaced", extra={"forks": self._current.forks})
        self._retire()

    async def aclose(self) -> None:
        """End and reap this launcher's zygote processes; children that it launched are not touched."""
        self._is_closed = True
        with trio.CancelScope(shield=True):
            async with self._lock:  # after the fork that is under way
                self._retire()
            if self._next is not None:
                self._retired.append(self._next)
                self._next = None
            for zygote in self._retired:
                await zygote.end()
        self._retired.clear()

    async def fork(self, descriptors: tuple[int, int, int], line: bytes = b"") -> tuple[int, int]:
        """Fork a child with these as its stdin, stdout and stderr; the caller closes its own copies.

        Args:
            descriptors: those of the child.
            line: as in `ZygoteProcess.fork`.

        Returns:
            The process id, and the memory in bytes that the child shares with the zygote.

        Raises:
            LaunchFailed: as `launch`.
        """
        return await self._twice(partial(self._fork, descriptors, line))

    async def _twice(self, fork: Callable[[], Awaitable[_T]]) -> _T:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._lock.acquire_nowait()  # usually free; `acquire` would take a turn of the event loop
        except trio.WouldBlock:
            await self._lock.acquire()
        try:
            if self._is_closed:
                raise LaunchFailed("the launcher is closed")
            for _attempt in range(2):
                try:
                    return await fork()
                except ZygoteLost as lost:
                    reason = lost
        finally:
            self._lock.release()
        raise LaunchFailed(f"no child could be forked, and a new zygote failed too: {reason}")

    async def _fork(self, descriptors: tuple[int, int, int], line: bytes) -> tuple[int, int]:
        zygote = self._serving()
        try:
            await zygote.wait_ready()
            return await zygote.fork(descriptors, line), zygote.private_bytes
        except ZygoteLost as lost:
            _LOG.warning("a zygote was lost: %s", reason_of(lost), extra={"forks": zygote.forks})
            await self._discard(zygote)
            raise

    def _serving(self) -> ZygoteProcess:
        """The process to fork from now; the lock is held."""
        if self._current is not None and self._current.forks >= self._max_forks:
            _LOG.debug("a zygote has forked its last child", extra={"forks": self._current.forks})
            self._retire()
        for zygote in self._retired:
            zygote.leave()
        self._retired = [zygote for zygote in self._retired if not zygote.is_gone()]
        if self._current is None:
            self._current, self._next = self._next or self._start(), None
        elif self._next is None and self._current.forks >= self._max_forks - _HEAD_START:
            with suppress(LaunchFailed):  # tried again at the next launch; the current one has forks left
                self._next = self._start()
        return self._current

    async def _discard(self, zygote: ZygoteProcess) -> None:
        if self._current is zygote:  # `distrust` may have moved it to the retired ones meanwhile
            self._current = None
        with trio.CancelScope(shield=True):
            await zygote.end()

    def _retire(self) -> None:
        # Its socket stays open: a fork that is under way may wait for a reply on it.
        if self._current is not None:
            self._retired.append(self._current)
            self._current = None


@lru_cache(maxsize=4)
def _line(initialize: Initialize) -> bytes:
    return HostConnection().send(initialize)
