"""Who the child is: nobody, with no capability (capabilities(7)) and no way to gain one."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

from flowcage.child.cage import libc
from flowcage.child.cage.architecture import current
from flowcage.protocol.messages import Layer

_PR_CAPBSET_DROP = 24
_CAP_KILL = 5
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_Header, _NoCapabilities = ctypes.c_uint32 * 2, ctypes.c_uint32 * 6
# Far from the ids that people and services have, and process ids (at most 2**22) keep them apart.
_FIRST_UID = 2_000_000_000
_NOBODY = 65534


def drop_root(status: dict[bytes, bytes]) -> Layer:
    """Give up root for a user id of this process's own, so that children cannot reach each other.

    Args:
        status: what the kernel says of this process, `process.status`.
    """
    if os.geteuid() != 0:
        return Layer(False, "not started as root: keeps its user")
    # Our host has the capabilities that we have now; without this one it could not end another user's child.
    if not int(status.get(b"CapPrm", b"20"), 16) >> _CAP_KILL & 1:
        return Layer(False, "root stays root: without CAP_KILL the host could not end another user's process")
    for uid in (_FIRST_UID + os.getpid(), _NOBODY):
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            return Layer(True, "a user of its own" if uid != _NOBODY else f"uid {_NOBODY}, as others")
        except OSError as error:
            refused = error
    return Layer(False, f"root stays root: {refused.strerror}")


def drop_capabilities() -> Layer:
    """Empty every set: what root had, and what a new user namespace gave."""
    architecture = current()
    if architecture is None:
        return Layer(False, "the number of capset(2) is known for x86_64 and aarch64 only")
    try:
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
        # struct __user_cap_header_struct, and two of __user_cap_data_struct: all zero.
        header, none = _Header(_CAPABILITY_VERSION_3, 0), _NoCapabilities()
        libc.syscall(architecture.numbers["capset"], ctypes.addressof(header), ctypes.addressof(none))
    except OSError as error:
        return Layer(False, f"refused: {error.strerror}")
    return Layer(True, "none left")


def forbid_new_privileges() -> Layer:
    """Set-user-ID programs and file capabilities give nothing any more; for good."""
    try:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    except OSError as error:
        return Layer(False, f"refused: {error.strerror}")
    return Layer(True, "set-user-ID programs gain nothing")


def drop_bounding_set() -> None:
    """No program that is executed from here on gets a capability; one who may not say so holds none."""
    with suppress(OSError):  # refused from the first one on that this kernel does not know
        for capability in range(64):
            libc.prctl(_PR_CAPBSET_DROP, capability)
