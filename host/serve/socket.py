"""The Unix socket that ``flowcage serve`` listens on: made here, or passed by systemd.

A socket's path may be in a folder that others may write to, such as /tmp. So its folder is opened first, and
what is there is looked at and removed relative to that descriptor. Only bind(2) and connect(2), which take no
descriptor, use the path; what bind(2) made is looked at afterwards.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path

from flowcage.host.outcome.errors import FlowcageError

_BACKLOG = 4096  # the kernel lowers it to /proc/sys/net/core/somaxconn, listen(2)
# sockaddr_un, unix(7): 108 bytes with a NUL at the end.
_MAX_PATH_BYTES = 107
_FIRST_HANDED_OVER = 3  # sd_listen_fds(3)


class ListenError(FlowcageError):
    """There is no socket to listen on; the message says why and what to do."""


@contextmanager
def listening(path: Path, mode: int) -> Iterator[socket.socket]:
    """A listening socket at this path, which is removed afterwards.

    Args:
        path: must not exist, or be the socket of a server that has ended.
        mode: permissions, as for chmod(2).

    Raises:
        ListenError: the path is a file or a socket in use, is too long, or cannot be made.
    """
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise ListenError(
            f"{path}: longer than the {_MAX_PATH_BYTES} bytes of a socket's path; choose a shorter one"
        )
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
    """Make the socket with its mode."""
    # By umask: a chmod(2) afterwards could change a file that was put in the socket's place meanwhile.
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
            f"{path}: the new socket was replaced by another file; choose a folder that only you can write to"
        )
    if stat.S_IMODE(made.st_mode) != mode:
        _remove_own(path, made, folder)
        raise ListenError(
            f"{path}: the socket's mode is {stat.S_IMODE(made.st_mode):o} and not {mode:o}, because its "
            "folder has default permissions (acl(5)); choose another path"
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
        except ConnectionRefusedError:  # its server has ended
            _unlink(path, folder)
            return
        except OSError as error:
            raise ListenError(
                f"{path}: exists, and it cannot be tried whether a server listens on it "
                f"({error.strerror or error}); choose another path"
            ) from None
    raise ListenError(f"{path}: another server is listening there; end it, or choose another path")


def _unlink(path: Path, folder: int) -> None:
    try:
        os.unlink(path.name, dir_fd=folder)
    except OSError as error:
        raise ListenError(
            f"{path}: is the socket of a server that has ended, and cannot be removed ({error.strerror}); "
            "choose another path"
        ) from None


def _remove_own(path: Path, made: os.stat_result, folder: int) -> None:
    with suppress(OSError):
        found = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        if (found.st_dev, found.st_ino) == (made.st_dev, made.st_ino):
            os.unlink(path.name, dir_fd=folder)


def handed_over(environment: MutableMapping[str, str]) -> socket.socket | None:
    """The listening socket that this process was started with, as systemd does (sd_listen_fds(3)); or None.

    Args:
        environment: LISTEN_PID and LISTEN_FDS are removed from it, so that no child takes them for its own.

    Raises:
        ListenError: what was passed is not exactly one listening Unix stream socket.
    """
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    if pid != str(os.getpid()):
        return None
    if count != "1":
        raise ListenError(f"LISTEN_FDS is {count!r}; pass exactly one socket")
    try:
        listener = socket.socket(fileno=_FIRST_HANDED_OVER)
        is_listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        raise ListenError(f"LISTEN_FDS: descriptor {_FIRST_HANDED_OVER} is no socket") from None
    if (listener.family, listener.type) != (socket.AF_UNIX, socket.SOCK_STREAM) or not is_listening:
        raise ListenError(
            f"LISTEN_FDS: descriptor {_FIRST_HANDED_OVER} is no listening Unix stream socket; "
            "with systemd use ListenStream="
        )
    os.set_inheritable(_FIRST_HANDED_OVER, False)
    return listener


def peer_uid(connection: socket.socket) -> int:
    """The user that connected, by the kernel (unix(7), SO_PEERCRED)."""
    size = struct.calcsize("3i")
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)
