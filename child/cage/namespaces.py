"""New namespaces for the child (namespaces(7)): an empty network, no System V objects, a private mount table.

Many machines refuse them to ordinary users, and most containers to everybody. So the layer is optional:
``strict`` does not require it.
"""

from __future__ import annotations

import os

from flowcage.child.cage import libc
from flowcage.protocol.messages import Layer

# linux/sched.h
_NEW_MOUNTS, _NEW_CGROUP, _NEW_UTS = 0x00020000, 0x02000000, 0x04000000
_NEW_IPC, _NEW_USER, _NEW_NETWORK = 0x08000000, 0x10000000, 0x40000000
_ALL = _NEW_MOUNTS | _NEW_CGROUP | _NEW_UTS | _NEW_IPC | _NEW_NETWORK
ALL_AND_USER = _ALL | _NEW_USER
_NAMES = "network, IPC, UTS, mount, cgroup"


def enter_as_root() -> Layer:
    """Unshare with root's capabilities, without a user namespace. The caller drops the capabilities later."""
    if os.geteuid() != 0:
        return Layer(False, "not root")
    return _unshare(_ALL, _NAMES)


def enter_as_user() -> Layer:
    """Unshare inside a new user namespace, in which no id is mapped.

    It grants all capabilities inside that namespace; the caller drops them later.
    """
    return _unshare(ALL_AND_USER, f"user, {_NAMES}")


def _unshare(flags: int, names: str) -> Layer:
    try:
        libc.unshare(flags)
    except OSError as error:
        return Layer(False, f"unshare(2) is refused to this user on this machine: {error.strerror}")
    return Layer(True, names)
