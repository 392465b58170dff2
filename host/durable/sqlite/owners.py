"""Which hosts of one store are alive, without a clock, and how one tells another that there is news.

Each host holds a flock on a file of its own for as long as it lives. The kernel frees it when the process is
gone, by SIGKILL as well, and keeps it while the process is only stopped: a host that is silent for an hour
loses nothing. The file is locked before it has its name, so whoever finds the name finds the lock. Others try
a shared lock, so two who look at once do not take each other for the owner.

News travels through a named pipe beside it: one byte says that the database should be looked at. The pipe's
owner waits for it with the event loop, so no host polls.

Both descriptors are closed on exec. A process that is forked and goes on by itself keeps its parent's lock,
and the parent is alive for others until both are gone.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

import trio

from flowcage.host.durable.sql.database import POOL

_PIPE = ".news"
_READ_AT_ONCE = 4096
_NAME = re.compile(r"[0-9]+-[0-9a-f]{16}")  # one that comes from a store may be any text


class Owners:
    """This host among those of one store.

    Args:
        database: path of the store's file.

    Attributes:
        owner: the name of this host, which no other ever had.
    """

    def __init__(self, database: Path) -> None:
        self._folder = folder_of(database)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._sweep()
        self.owner = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._file = self._folder / self.owner
        self._pipe_path = self._folder / f"{self.owner}{_PIPE}"
        os.mkfifo(self._pipe_path, 0o600)
        # For writing, too: a pipe that nobody has open for writing is always readable.
        self._pipe = os.open(self._pipe_path, os.O_RDWR | os.O_NONBLOCK)
        unnamed = self._folder / f"{self.owner}.new"
        self._lock = os.open(unnamed, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unnamed.rename(self._file)

    def is_alive(self, owner: str) -> bool:
        """Whether a host holds its lock."""
        if owner == self.owner:
            return True
        return is_alive(self._folder, owner)

    def tell(self, owners: set[str]) -> None:
        """Tell hosts that there is news; "" is all of them, and a pool may be anybody's."""
        if any(owner == "" or owner.startswith(POOL) for owner in owners):
            owners = {path.name.removesuffix(_PIPE) for path in self._folder.glob(f"*{_PIPE}")}
        for owner in owners:
            self._tell(owner)

    def _tell(self, owner: str) -> None:
        with suppress(OSError):  # it is gone, or its pipe is full: then it has not looked yet
            pipe = os.open(self._folder / f"{owner}{_PIPE}", os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(pipe, b"\0")
            finally:
                os.close(pipe)

    async def news(self) -> None:
        """Wait until somebody has told of news since the last call."""
        await trio.lowlevel.checkpoint()
        while True:  # what was read is told: a task that is cancelled then would take it from the others
            try:
                os.read(self._pipe, _READ_AT_ONCE)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._pipe)
            else:
                return

    def close(self) -> None:
        """This host is gone."""
        for path in (self._pipe_path, self._file):
            path.unlink(missing_ok=True)
        os.close(self._pipe)
        os.close(self._lock)

    def _sweep(self) -> None:
        """Remove what hosts left that were killed."""
        for path in self._folder.iterdir():
            if path.suffix in (_PIPE, ".new") or _is_locked(path):
                continue
            for left in (path, Path(f"{path}{_PIPE}")):
                left.unlink(missing_ok=True)


def folder_of(database: Path) -> Path:
    """Where the hosts of a store have their files."""
    return Path(f"{database}.owners")


def is_alive(folder: Path, owner: str) -> bool:
    """Whether a host holds its lock."""
    return _NAME.fullmatch(owner) is not None and _is_locked(folder / owner)


def _is_locked(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
