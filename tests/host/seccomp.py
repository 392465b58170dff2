"""The filter of a process as the kernel has it (ptrace(2), PTRACE_SECCOMP_GET_FILTER); for root only."""

from __future__ import annotations

import ctypes
import os

_SEIZE, _INTERRUPT, _DETACH, _GET_FILTER = 0x4206, 0x4207, 17, 0x420C
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


def filter_of(pid: int) -> bytes:
    """The only filter of a child of this process, as an array of ``struct sock_filter``."""
    _ptrace(_SEIZE, pid)
    try:
        _ptrace(_INTERRUPT, pid)
        os.waitpid(pid, 0)
        code = ctypes.create_string_buffer(8 * _ptrace(_GET_FILTER, pid))
        _ptrace(_GET_FILTER, pid, 0, ctypes.addressof(code))
        return code.raw
    finally:
        _ptrace(_DETACH, pid)


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    result: int = _libc.ptrace(request, pid, address, data)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")
    return result
