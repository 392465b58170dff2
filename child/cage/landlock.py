"""Landlock (landlock(7)): denies files, TCP ports, abstract sockets, and signals to processes outside.

It needs no privilege. The system call filter denies the same; Landlock holds where the filter has a gap.
"""

from __future__ import annotations

import ctypes
import errno
import os

from flowcage.child.cage import libc
from flowcage.protocol.messages import Layer

# The same numbers on every architecture.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION_FLAG = 1
# Number of rights in handled_access_fs by ABI version (landlock(7), VERSIONS); later ABIs added none.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_Attributes = ctypes.c_uint64 * 3


def apply() -> Layer:
    """Handle every right that this kernel's Landlock has, and allow none. Requires no_new_privs."""
    try:
        version = abi_version()
        _restrict(version)
    except OSError as error:
        return Layer(False, _why_not(error))
    return Layer(True, f"ABI {version}: files{_beside_files(version)}")


def abi_version() -> int:
    """The version of this kernel's Landlock.

    Raises:
        OSError: it has none.
    """
    return libc.syscall(_CREATE_RULESET, 0, 0, _VERSION_FLAG)


def all_rights(version: int) -> ctypes.Array[ctypes.c_uint64]:
    """Every right of a version (struct landlock_ruleset_attr).

    A kernel that knows fewer fields accepts the rest where it is zero.
    """
    rights = (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1
    network = _BIND_AND_CONNECT_TCP if version >= _NETWORK_SINCE else 0
    scopes = _ABSTRACT_SOCKETS_AND_SIGNALS if version >= _SCOPES_SINCE else 0
    return _Attributes(rights, network, scopes)


def _restrict(version: int) -> None:
    attributes = all_rights(version)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.addressof(attributes), ctypes.sizeof(attributes), 0)
    try:
        libc.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _beside_files(version: int) -> str:
    network = ", TCP" if version >= _NETWORK_SINCE else ""
    return network + (", abstract sockets, signals" if version >= _SCOPES_SINCE else "")


def _why_not(error: OSError) -> str:
    if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
        return "this kernel was built or booted without Landlock"
    return f"refused: {error.strerror}"
