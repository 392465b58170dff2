"""System calls that Python has no function for; each failure is an OSError with its errno."""

from __future__ import annotations

import ctypes
import os

# PyDLL keeps the GIL: the child has one thread, so releasing it would only cost time.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
_libc.mprotect.argtypes = (ctypes.c_ulong, ctypes.c_size_t, ctypes.c_int)
_libc.syscall.argtypes = (ctypes.c_long, *[ctypes.c_ulong] * 6)
_libc.syscall.restype = ctypes.c_long
# A system call by its number, with six arguments; -1 and `ctypes.get_errno` where the kernel refused.
raw_syscall = _libc.syscall


def prctl(option: int, second: int = 0, third: int = 0) -> int:
    """Set or read an attribute of this process (prctl(2)). Unused arguments are passed as 0, as it requires.

    Raises:
        OSError: the kernel refused.
    """
    return _checked(_libc.prctl(option, second, third, 0, 0))


def syscall(number: int, first: int = 0, second: int = 0, third: int = 0) -> int:
    """Make a system call by its number (syscall(2)). Arguments that the call does not take are ignored.

    Raises:
        OSError: the kernel refused.
    """
    return _checked(_libc.syscall(number, first, second, third, 0, 0, 0))


def mprotect(address: int, size: int, protection: int) -> None:
    """Change the protection of `size` bytes of pages at `address` (mprotect(2)).

    Raises:
        OSError: the kernel refused.
    """
    _checked(_libc.mprotect(address, size, protection))


def unshare(flags: int) -> None:
    """Move this process into new namespaces, by CLONE_NEW flags (unshare(2)).

    Raises:
        OSError: the kernel refused.
    """
    _checked(_libc.unshare(flags))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
