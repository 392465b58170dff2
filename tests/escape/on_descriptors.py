"""Attacks through the descriptors that the child has, has not, or could multiply."""

from __future__ import annotations

import os
import struct

from flowcage.child.stdio import INCOMING, OUTGOING, STATUS

from .attack import EACCES, Attack, Deed, Scene, call, host

_SET_FLAGS, _SET_STATUS_FLAGS, _SET_OWNER, _SET_SIGNAL = 2, 4, 8, 10
_DUPLICATE, _SET_LOCK, _SET_PIPE_SIZE, _SET_LEASE, _NOTIFY, _ADD_SEALS = 0, 6, 1031, 1024, 1026, 1033
_NONBLOCKING_AND_ASYNC = 0o4000 | 0o20000
_IMPOSSIBLE = ("EINVAL", "ESPIPE", "ENOTDIR", "EBADF", "ENOTTY", "EFAULT")
_FAMILY = "descriptors"
_ONE_BUFFER = 1


def _leaked(scene: Scene) -> Deed:
    """A file of the host's, left open at a number above the wire's."""
    opened = os.open(os.path.join(scene.scratch, "bait"), os.O_RDONLY)
    return call("read", opened, bytes(16), 16)(scene)


_ASKING = [
    ("duplicate a descriptor by fcntl", call("fcntl", OUTGOING, _DUPLICATE, 0)),
    ("let programs inherit the wire", call("fcntl", OUTGOING, _SET_FLAGS, 0)),
    ("make the wire signal the host", call("fcntl", INCOMING, _SET_OWNER, host)),
    (
        "make the wire signal whom it wants",
        call("fcntl", INCOMING, _SET_STATUS_FLAGS, _NONBLOCKING_AND_ASYNC),
    ),
    ("choose the signal of the wire", call("fcntl", INCOMING, _SET_SIGNAL, 9)),
    ("shrink the wire", call("fcntl", OUTGOING, _SET_PIPE_SIZE, 4096)),
    ("lease a file", call("fcntl", STATUS, _SET_LEASE, 2)),
    ("lock a file by fcntl", call("fcntl", STATUS, _SET_LOCK, struct.pack("hhqqi", 2, 0, 0, 0, 0))),
    ("seal a file", call("fcntl", STATUS, _ADD_SEALS, 1)),
    ("have a folder's changes signalled", call("fcntl", STATUS, _NOTIFY, 1)),
    ("type into the host's terminal", call("ioctl", 0, 0x5412, b"x")),
    ("take the host's terminal", call("ioctl", 0, 0x540E, 1)),
    ("ask how much the wire holds", call("ioctl", INCOMING, 0x541B, bytes(4))),
    ("make the wire signal by ioctl", call("ioctl", INCOMING, 0x5452, struct.pack("i", 0))),
    ("rewind its status", call("lseek", STATUS, 0, 0)),
    ("list a folder by a descriptor", call("getdents64", INCOMING, bytes(64), 64)),
]
_USING = [
    ("read stdin", call("read", 0, bytes(1), 1)),
    ("read its own outgoing wire", call("read", OUTGOING, bytes(1), 1)),
    ("read its status from where it is", call("read", STATUS, bytes(1), 1)),
    ("read a descriptor that is not there", call("read", 9, bytes(1), 1)),
    ("read a number that is too wide", call("read", INCOMING | 1 << 32, bytes(1), 0)),
    ("write to the incoming wire", call("write", INCOMING, b"x", 1)),
    ("write to its status", call("write", STATUS, b"x", 1)),
    ("write to stdin", call("write", 0, b"x", 1)),
    ("read the incoming wire at an offset", call("pread64", INCOMING, bytes(1), 1, 0)),
    ("write at an offset", call("pwrite64", OUTGOING, b"x", 1, 0)),
    ("read into many buffers", call("readv", STATUS, bytes(16), _ONE_BUFFER)),
    ("write from many buffers", call("writev", OUTGOING, bytes(16), _ONE_BUFFER)),
    ("read into many buffers at an offset", call("preadv", STATUS, bytes(16), _ONE_BUFFER, 0)),
    ("write from many buffers at an offset", call("pwritev", OUTGOING, bytes(16), _ONE_BUFFER, 0)),
    ("duplicate a descriptor", call("dup", OUTGOING)),
    ("put the wire in another's place", call("dup2", OUTGOING, INCOMING)),
    ("put the wire in another's place with flags", call("dup3", OUTGOING, INCOMING, 0)),
    ("close stderr", call("close", 2)),
    ("close everything", call("close_range", 0, 2, 0)),
    ("make a pipe", call("pipe2", bytes(8), 0)),
    ("splice", call("splice", INCOMING, 0, OUTGOING, 0, 0, 2)),
    ("tee", call("tee", INCOMING, OUTGOING, 0, 2)),
    ("vmsplice", call("vmsplice", OUTGOING, bytes(16), _ONE_BUFFER, 2)),
    ("sendfile", call("sendfile", OUTGOING, STATUS, 0, 1)),
    ("copy between files", call("copy_file_range", STATUS, 0, OUTGOING, 0, 1, 0)),
    ("sync a descriptor", call("fsync", OUTGOING)),
    ("sync every file", call("sync")),
    ("sync a file system", call("syncfs", 0)),
    ("wait for descriptors", call("poll", bytes(8), 1, 0)),
    ("wait for descriptors with a mask", call("ppoll", bytes(8), 1, struct.pack("qq", 0, 0), 0, 8)),
    ("select descriptors", call("pselect6", 0, 0, 0, 0, struct.pack("qq", 0, 0), 0)),
    ("watch descriptors", call("epoll_create1", 0)),
]

ATTACKS = [
    *(Attack(_FAMILY, name, prepare, (EACCES,), _IMPOSSIBLE) for name, prepare in _ASKING),
    *(Attack(_FAMILY, name, prepare, reached=_IMPOSSIBLE) for name, prepare in _USING),
    Attack(_FAMILY, "read a file that the host left open", _leaked),
]
