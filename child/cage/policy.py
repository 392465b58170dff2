"""Which system calls a caged child may make: those of its work, and those that replace them elsewhere.

Every other call ends the process with SIGSYS (seccomp(2)). Calls that only query files are refused with
EACCES instead, so that a traceback or a late import raises an OSError, which Python handles.
"""

import errno

from flowcage._hints import NamedTuple

ANY_BITS = 2**64 - 1


class Check(NamedTuple):
    """``argument & mask`` must equal one of `values`, all 64 bits of it."""

    argument: int
    values: tuple[int, ...]
    mask: int = ANY_BITS


class Policy(NamedTuple):
    """Calls that are allowed if all of their checks hold, and calls that are refused with an errno."""

    allowed: dict[str, tuple[Check, ...]]
    refused: dict[str, int]


_READ_WRITE = 0x1 | 0x2  # PROT_READ | PROT_WRITE, mmap(2)
_PRIVATE_ANONYMOUS = 0x02 | 0x20
_NORESERVE = 0x4000
_MAYMOVE = 1  # mremap(2)
_DONTNEED, _FREE = 4, 8  # madvise(2)
_OWN_CLOCKS = (0, 1, 2, 3)  # clock_gettime(2); higher and negative ids can name a process or a device
# FUTEX_WAIT, _WAKE and _WAIT_BITSET (with either clock), all with FUTEX_PRIVATE_FLAG
_PRIVATE_FUTEX = (128, 129, 137, 137 | 256)
_SIGABRT = 6

_FILE_QUERIES = (
    "open",
    "openat",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getcwd",
    "getdents64",
    "lseek",
    "ioctl",
    "fcntl",
    "getrandom",
)


def policy(*, reads: int, writes: tuple[int, ...], status: int, pid: int) -> Policy:
    """The policy of one child.

    Args:
        reads: the descriptor that read(2) may use: the wire's incoming half.
        writes: the descriptors that write(2) may use: the wire's outgoing half, and stderr.
        status: the descriptor that pread(2) may use: the open /proc/self/status.
        pid: id of the child, which is also that of its only thread: tgkill(2) may name no other.
    """
    no_exec = Check(2, (0,), ANY_BITS & ~_READ_WRITE)
    return Policy(
        {
            # The child's work: messages, memory, clocks, the exit.
            "read": (Check(0, (reads,)),),
            "write": (Check(0, writes),),
            "pread64": (Check(0, (status,)),),
            "mmap": (no_exec, Check(3, (_PRIVATE_ANONYMOUS,), ANY_BITS & ~_NORESERVE)),
            "mremap": (Check(3, (0,), ANY_BITS & ~_MAYMOVE),),
            "munmap": (),
            "brk": (),
            "clock_gettime": (Check(0, _OWN_CLOCKS),),
            "exit_group": (),
            # What another C library or kernel may use for the same work.
            "mprotect": (no_exec,),
            "madvise": (Check(2, (_DONTNEED, _FREE)),),
            "gettimeofday": (),
            "time": (),
            "futex": (Check(1, _PRIVATE_FUTEX),),
            "restart_syscall": (),
            # abort(3): a corrupted heap ends with SIGABRT and a message instead of SIGSYS.
            "getpid": (),
            "gettid": (),
            "rt_sigprocmask": (),
            "rt_sigaction": (Check(0, (_SIGABRT,)),),
            "tgkill": (Check(0, (pid,)), Check(1, (pid,)), Check(2, (_SIGABRT,))),
            "writev": (Check(0, (2,)),),
        },
        dict.fromkeys(_FILE_QUERIES, errno.EACCES),
    )
