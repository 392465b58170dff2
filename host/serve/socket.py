"""The Unix socket that `serve` listens on: made here with care, or handed over by systemd."""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path

from flowcage.host.outcome.errors import FlowcageError

_BACKLOG = 4096  # the kernel makes less of it where /proc/sys/net/core/somaxconn is less
# sockaddr_un, unix(7): 108 bytes with a NUL at the end.
_MAX_PATH_BYTES = 107
_FIRST_HANDED_OVER = 3  # sd_listen_fds(3)


class ListenError(FlowcageError):
    """There is nothing to listen on; the message says why and what to do."""


@contextmanager
def listening(path: Path, mode: int) -> Iterator[socket.socket]:
    """A listening socket at this path, which is removed afterwards.

    Nothing is changed by path but the removal of a socket, in the folder that was opened first: in a folder
    that another user may write, or that he can put another one in the place of, a path is what he makes it.

    Args:
        path: must not exist, but for the socket of a server that is no more.
        mode: who may connect, as chmod(2).

    Raises:
        ListenError: it exists and is something else, is in use, is too long, or cannot be made.
    """
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise ListenError(f"{path}: longer than the {_MAX_PATH_BYTES} bytes that a socket's path may have")
    with _folder_of(path) as folder, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        _remove_stale(path, folder)
        made = _bind(listener, path, mode, folder)
        try:
            listener.listen(_BACKLOG)
            yield listener
        finally:
            _remove_own(path, made, folder)


@contextmanager
def _folder_of(path: Path) -> Iterator[int]:
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ListenError(f"{path}: no socket can be made there: {error.strerror}") from None
    try:
        yield folder
    finally:
        os.close(folder)


def _bind(listener: socket.socket, path: Path, mode: int, folder: int) -> os.stat_result:
    """Make the socket with its mode: a chmod(2) afterwards could meet what was put in its place meanwhile."""
    umask = os.umask(0o777 & ~mode)
    try:
        listener.bind(os.fsencode(path))
        made = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        raise ListenError(f"{path}: no socket can be made there: {error.strerror}") from None
    finally:
        os.umask(umask)
    if not stat.S_ISSOCK(made.st_mode) or made.st_uid != os.geteuid():
        raise ListenError(
            f"{path}: somebody put something else in the place of the socket; choose another path"
        )
    if stat.S_IMODE(made.st_mode) != mode:
        _remove_own(path, made, folder)
        raise ListenError(
            f"{path}: its mode is {stat.S_IMODE(made.st_mode):o} and not {mode:o}: the folder has default "
            "permissions of its own (acl(5)); choose another path"
        )
    return made


def _remove_stale(path: Path, folder: int) -> None:
    try:
        found = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
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
            _unlink(path, folder)
            return
        except OSError as error:
            raise ListenError(f"{path}: a socket that cannot be tried: {error.strerror or error}") from None
    raise ListenError(f"{path}: another server is listening there")


def _unlink(path: Path, folder: int) -> None:
    try:
        os.unlink(path.name, dir_fd=folder)
    except OSError as error:
        raise ListenError(
            f"{path}: a socket that nobody listens on any more stays: {error.strerror}"
        ) from None


def _remove_own(path: Path, made: os.stat_result, folder: int) -> None:
    with suppress(OSError):
        found = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        if (found.st_dev, found.st_ino) == (made.st_dev, made.st_ino):
            os.unlink(path.name, dir_fd=folder)


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
