"""System call numbers of the two architectures that the filter supports: x86_64 and aarch64.

Sources: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of the kernel.
"""

import os
from collections.abc import Mapping

from flowcage._hints import NamedTuple


class Architecture(NamedTuple):
    """What a seccomp filter is assembled for.

    Attributes:
        audit: its AUDIT_ARCH number (linux/audit.h), which the filter compares first.
        numbers: numbers of system calls by name. A call that the architecture does not have is missing.
    """

    audit: int
    numbers: Mapping[str, int]


X86_64 = Architecture(
    0xC000003E,
    {
        "read": 0,
        "write": 1,
        "open": 2,
        "close": 3,
        "stat": 4,
        "fstat": 5,
        "lstat": 6,
        "lseek": 8,
        "mmap": 9,
        "mprotect": 10,
        "munmap": 11,
        "brk": 12,
        "rt_sigaction": 13,
        "rt_sigprocmask": 14,
        "ioctl": 16,
        "pread64": 17,
        "writev": 20,
        "access": 21,
        "mremap": 25,
        "madvise": 28,
        "getpid": 39,
        "clone": 56,
        "fcntl": 72,
        "getcwd": 79,
        "readlink": 89,
        "gettimeofday": 96,
        "setpgid": 109,
        "getppid": 110,
        "setgroups": 116,
        "setresuid": 117,
        "setresgid": 119,
        "capset": 126,
        "prctl": 157,
        "gettid": 186,
        "time": 201,
        "futex": 202,
        "getdents64": 217,
        "restart_syscall": 219,
        "clock_gettime": 228,
        "exit_group": 231,
        "tgkill": 234,
        "openat": 257,
        "newfstatat": 262,
        "readlinkat": 267,
        "faccessat": 269,
        "unshare": 272,
        "prlimit64": 302,
        "getrandom": 318,
        "statx": 332,
        "close_range": 436,
        "faccessat2": 439,
        "landlock_create_ruleset": 444,
        "landlock_restrict_self": 446,
    },
)

AARCH64 = Architecture(
    0xC00000B7,
    {
        "getcwd": 17,
        "fcntl": 25,
        "ioctl": 29,
        "faccessat": 48,
        "openat": 56,
        "close": 57,
        "getdents64": 61,
        "lseek": 62,
        "read": 63,
        "write": 64,
        "writev": 66,
        "pread64": 67,
        "readlinkat": 78,
        "newfstatat": 79,
        "fstat": 80,
        "capset": 91,
        "exit_group": 94,
        "unshare": 97,
        "futex": 98,
        "clock_gettime": 113,
        "restart_syscall": 128,
        "tgkill": 131,
        "rt_sigaction": 134,
        "rt_sigprocmask": 135,
        "setresuid": 147,
        "setresgid": 149,
        "setpgid": 154,
        "setgroups": 159,
        "prctl": 167,
        "gettimeofday": 169,
        "getpid": 172,
        "getppid": 173,
        "gettid": 178,
        "brk": 214,
        "munmap": 215,
        "mremap": 216,
        "clone": 220,
        "mmap": 222,
        "mprotect": 226,
        "madvise": 233,
        "prlimit64": 261,
        "getrandom": 278,
        "statx": 291,
        "close_range": 436,
        "faccessat2": 439,
        "landlock_create_ruleset": 444,
        "landlock_restrict_self": 446,
    },
)

_MACHINES = {"x86_64": X86_64, "aarch64": AARCH64, "arm64": AARCH64}


def current() -> Architecture | None:
    """The architecture of this machine; None where it is not in the table, which leaves the filter out."""
    return _MACHINES.get(os.uname().machine)
