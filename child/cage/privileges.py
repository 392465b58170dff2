"""The user id and the capabilities (capabilities(7)) of the child: an id of its own, and no capability."""

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
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
# struct __user_cap_header_struct, and two of __user_cap_data_struct: all zero.
_HEADER, _NONE = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
CAPSET = (ctypes.addressof(_HEADER), ctypes.addressof(_NONE))
# Above the ids of people and services. The process id (at most 2**22) is added: each child has its own.
FIRST_UID = 2_000_000_000
NOBODY = 65534
OWN_USER = "a user of its own"


def drop_root(status: dict[bytes, bytes]) -> Layer:
    """Change root to a user id that only this process has, so that children cannot signal each other.

    It needs CAP_SETUID and CAP_SETGID: call it before `drop_capabilities`.

    Args:
        status: fields of /proc/self/status, from `process.status`.
    """
    if os.geteuid() != 0:
        return Layer(False, "not started as root: keeps its user")
    # The host has the capabilities that this process inherited. Without CAP_KILL it could not kill a child
    # of another user, so the child keeps its user.
    if not int(status.get(b"CapPrm", b"20"), 16) >> _CAP_KILL & 1:
        return Layer(False, "root stays root: without CAP_KILL the host could not end another user's process")
    for uid in (FIRST_UID + os.getpid(), NOBODY):
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            return Layer(True, OWN_USER if uid != NOBODY else f"uid {NOBODY}, as others")
        except OSError as error:
            refused = error
    return Layer(False, f"root stays root: {refused.strerror}")


def drop_capabilities() -> Layer:
    """Empty every capability set: those of root, and those that a new user namespace gave."""
    architecture = current()
    if architecture is None:
        return Layer(False, "the number of capset(2) is known for x86_64 and aarch64 only")
    try:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
        libc.syscall(architecture.numbers["capset"], *CAPSET)
    except OSError as error:
        return Layer(False, f"refused: {error.strerror}")
    return Layer(True, "none left")


def forbid_new_privileges() -> Layer:
    """Set no_new_privs (prctl(2)), irrevocably: execve(2) grants nothing. Landlock and seccomp require it."""
    try:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    except OSError as error:
        return Layer(False, f"refused: {error.strerror}")
    return Layer(True, "set-user-ID programs gain nothing")


def drop_bounding_set() -> None:
    """Empty the bounding set: execve(2) grants no capability from here on. It needs CAP_SETPCAP."""
    # EINVAL from the first number that this kernel does not know; EPERM where CAP_SETPCAP is missing.
    with suppress(OSError):
        for capability in range(64):
            libc.prctl(_PR_CAPBSET_DROP, capability)
