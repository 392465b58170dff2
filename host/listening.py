"""The Unix socket that `serve` listens on: made here with care, or handed over by systemd."""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path

from flowcage.host.errors import FlowcageError

_BACKLOG = 4096  # the kernel makes less of it where /proc/sys/net/core/somaxconn is less
# sockaddr_un, unix(7): 108 bytes with a NUL at the end.
_MAX_PATH_BYTES = 107
_FIRST_HANDED_OVER = 3  # sd_listen_fds(3)


class ListenError(FlowcageError):
    """There is nothing to listen on; the message says why and what to do."""


@contextmanager
def listening(path: Path, mode: int) -> Iterator[socket.socket]:
    """A listening socket at this path, which is removed afterwards.

    Args:
        path: must not exist, but for the socket of a server that is no more.
        mode: who may connect, as chmod(2).

    Raises:
        ListenError: it exists and is something else, is in use, is too long, or cannot be made.
    """
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise ListenError(f"{path}: longer than the {_MAX_PATH_BYTES} bytes that a socket's path may have")
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listener:
        umask = os.umask(0o777)  # nobody connects before the mode is as asked for
        try:
            listener.bind(os.fsencode(path))
        except OSError as error:
            raise ListenError(f"{path}: no socket can be made there: {error.strerror}") from None
        finally:
            os.umask(umask)
        made = os.stat(path)
        try:
            os.chmod(path, mode)
            listener.listen(_BACKLOG)
            yield listener
        finally:
            _remove_own(path, made)


def _remove_stale(path: Path) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ListenError(f"{path}: {error.strerror}") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(f"{path}: exists and is no socket; choose another path")
    if found.st_uid != os.geteuid():
        raise ListenError(f"{path}: is a socket of another user (uid {found.st_uid}); choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fsencode(path))
        except ConnectionRefusedError:  # nobody listens any more
            _unlink(path)
            return
        except OSError as error:
            raise ListenError(f"{path}: a socket that cannot be tried: {error.strerror or error}") from None
    raise ListenError(f"{path}: another server is listening there")


def _unlink(path: Path) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        raise ListenError(
            f"{path}: a socket that nobody listens on any more stays: {error.strerror}"
        ) from None


def _remove_own(path: Path, made: os.stat_result) -> None:
    with suppress(OSError):
        found = os.lstat(path)
        if (found.st_dev, found.st_ino) == (made.st_dev, made.st_ino):
            os.unlink(path)


def handed_over(environment: MutableMapping[str, str]) -> socket.socket | None:
    """The socket that whoever started this process listens on already, as systemd does (sd_listen_fds(3)).

    Args:
        environment: LISTEN_PID and LISTEN_FDS are removed from it.

    Raises:
        ListenError: it is not one Unix stream socket that listens.
    """
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    if pid != str(os.getpid()):
        return None
    if count != "1":
        raise ListenError(f"LISTEN_FDS is {count!r}: one socket is expected")
    try:
        listener = socket.socket(fileno=_FIRST_HANDED_OVER)
        is_listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ListenError(f"descriptor {_FIRST_HANDED_OVER} is no socket: {error.strerror}") from None
    if (listener.family, listener.type) != (socket.AF_UNIX, socket.SOCK_STREAM) or not is_listening:
        raise ListenError(f"descriptor {_FIRST_HANDED_OVER} is no listening Unix stream socket")
    os.set_inheritable(_FIRST_HANDED_OVER, False)
    return listener


def peer_uid(connection: socket.socket) -> int:
    """Who connected (unix(7), SO_PEERCRED); the kernel says so, not the peer."""
    size = struct.calcsize("3i")
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)
