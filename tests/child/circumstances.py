"""Starts a child where something is missing: ``circumstances.py NAME COMMAND...``, by real means.

A program of its own: what it does to itself, its exec hands on.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
import threading
from collections.abc import Callable

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_NEW_MOUNTS, _MS_REC, _MS_PRIVATE, _MNT_DETACH, _PER_LINUX32 = 0x00020000, 0x4000, 0x40000, 2, 8
_PRCTL = {"x86_64": 157, "aarch64": 167}
_EXECVE = {"x86_64": 59, "aarch64": 221}


def _checked(result: int) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def signals() -> None:
    """SIGXCPU and its like ignored and blocked."""
    for number in (signal.SIGXCPU, signal.SIGTERM, signal.SIGSEGV, signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def no_filter() -> None:
    """An outer filter that refuses another one."""
    _refuse_prctl(_PR_SET_SECCOMP)


def no_new_privileges_refused() -> None:
    """An outer filter that refuses no_new_privs (which it needs itself, or root)."""
    _refuse_prctl(_PR_SET_NO_NEW_PRIVS)


def _refuse_prctl(option: int) -> None:
    _install(
        (0x20, 0, 0, 0),  # load the number
        (0x15, 0, 3, _PRCTL[os.uname().machine]),
        (0x20, 0, 0, 16),  # load the low word of the first argument
        (0x15, 0, 1, option),
        (0x06, 0, 0, 0x00050001),  # EPERM
        (0x06, 0, 0, 0x7FFF0000),  # allow
    )


def no_exec() -> None:
    """An outer filter that refuses execve, without which the environment stays; the child runs here."""
    _install(
        (0x20, 0, 0, 0),
        (0x15, 0, 1, _EXECVE[os.uname().machine]),
        (0x06, 0, 0, 0x00050001),
        (0x06, 0, 0, 0x7FFF0000),
    )
    _run_here()


def _install(*program: tuple[int, int, int, int]) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    filter_ = Program(len(program), ctypes.addressof(code))
    if os.geteuid() != 0:
        _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_)))


def no_proc() -> None:
    """A machine without /proc; needs root."""
    _checked(_libc.unshare(_NEW_MOUNTS))
    _checked(_libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None))
    _checked(_libc.umount2(b"/proc", _MNT_DETACH))


def strange_machine() -> None:
    """A machine by another name than those that a filter was written for."""
    _checked(_libc.personality(ctypes.c_ulong(_PER_LINUX32)))


def low_limits() -> None:
    """Hard limits that are lower than what the cage would set."""
    resource.setrlimit(resource.RLIMIT_CPU, (7, 7))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def high_descriptor() -> None:
    """A descriptor above the soft limit of their number."""
    os.dup2(0, 200)
    os.set_inheritable(200, True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096))


def second_thread() -> None:
    """A child that has two threads; it runs here, as an exec would end the other."""
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    _run_here()


def late_environment() -> None:
    """A child whose interpreter finds a variable in its environment again and again, as .pth files may do."""
    os.environ["LATE"] = "sk-late"
    _run_here()


def _run_here() -> None:
    from flowcage.child.__main__ import main

    sys.argv = ["flowcage-child"]
    main()


CIRCUMSTANCES: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        signals,
        no_filter,
        no_new_privileges_refused,
        no_proc,
        no_exec,
        strange_machine,
        low_limits,
        high_descriptor,
        second_thread,
        late_environment,
    )
}

if __name__ == "__main__":
    CIRCUMSTANCES[sys.argv[1]]()
    os.execv(sys.argv[2], sys.argv[2:])
