"""What the filter is meant to do, written down a second time: from the manual pages, not from the policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from flowcage.child.cage.policy import Policy, policy

# The process that the rules are about, where none runs; and memory that it may write to.
PID = 4242
BUFFER = 0x7F00_0000_2000
READS, WRITES, STATUS = 3, (1, 2, 4), 5
HIGH = 1 << 32
TOP = 1 << 63
MINUS_ONE = 2**64 - 1


class Call(NamedTuple):
    """One system call with its arguments."""

    name: str
    arguments: tuple[int, ...] = ()


class Rule(NamedTuple):
    """Arguments that must pass, and for an argument the values that must kill in its place."""

    passes: tuple[tuple[int, ...], ...] = ((),)
    kills: Mapping[int, tuple[int, ...]] = MappingProxyType({})


def rules_for(pid: int) -> Policy:
    """The child's policy, with descriptors as `child/stdio.py` arranges them."""
    return policy(reads=READS, writes=WRITES, status=STATUS, pid=pid)


_PROTECTIONS = (0, 1, 2, 3)  # PROT_NONE, PROT_READ, PROT_WRITE, both
_PRIVATE, _RESERVING_NOTHING = 0x22, 0x4022  # MAP_PRIVATE | MAP_ANONYMOUS, and MAP_NORESERVE
_BAD_PROTECTIONS = (
    0x4,  # PROT_EXEC
    0x5,
    0x7,
    0x8,  # PROT_SEM
    0x0100_0003,  # PROT_GROWSDOWN
    0x0200_0003,  # PROT_GROWSUP
    HIGH | 3,
    MINUS_ONE,
)
_BAD_MAPPINGS = (
    0x00,
    0x02,  # a file
    0x20,  # neither private nor shared
    0x21,  # MAP_SHARED
    0x23,  # MAP_SHARED_VALIDATE
    0x32,  # MAP_FIXED
    0x62,  # MAP_32BIT
    0x122,  # MAP_GROWSDOWN
    0x2022,  # MAP_LOCKED
    0x4032,  # MAP_FIXED, with what is allowed
    0x8022,  # MAP_POPULATE
    0x1_0022,  # MAP_NONBLOCK
    0x2_0022,  # MAP_STACK
    0x4_0022,  # MAP_HUGETLB
    0x10_0022,  # MAP_FIXED_NOREPLACE
    HIGH | 0x22,
    TOP | 0x22,
    MINUS_ONE,
)
_DESCRIPTORS = (0, 1, 2, 3, 4, 5, 6, 7, 255)


def _other_descriptors(*allowed: int) -> tuple[int, ...]:
    others = tuple(number for number in _DESCRIPTORS if number not in allowed)
    return (*others, MINUS_ONE, HIGH, TOP, *(HIGH | number for number in allowed))


RULES = {
    "read": Rule(((3, BUFFER, 0), (3, BUFFER, 16)), {0: _other_descriptors(3)}),
    "write": Rule(((1, BUFFER, 0), (2, BUFFER, 0), (4, BUFFER, 9)), {0: _other_descriptors(1, 2, 4)}),
    "writev": Rule(((2, 0, 0),), {0: _other_descriptors(2)}),
    "pread64": Rule(((5, BUFFER, 16, 0),), {0: _other_descriptors(5)}),
    "mmap": Rule(
        tuple((0, 4096, p, f, MINUS_ONE, 0) for p in _PROTECTIONS for f in (_PRIVATE, _RESERVING_NOTHING)),
        {2: _BAD_PROTECTIONS, 3: _BAD_MAPPINGS},
    ),
    "mprotect": Rule(tuple((0, 0, protection) for protection in _PROTECTIONS), {2: _BAD_PROTECTIONS}),
    "mremap": Rule(
        ((0, 0, 0, 0), (0, 0, 0, 1)),
        # MREMAP_FIXED, MREMAP_DONTUNMAP
        {3: (2, 3, 4, 5, 8, HIGH, HIGH | 1, TOP | 1, MINUS_ONE)},
    ),
    "munmap": Rule(((0, 0),)),
    "brk": Rule(((0,),)),
    # CLOCK_REALTIME, _MONOTONIC, _PROCESS_CPUTIME_ID, _THREAD_CPUTIME_ID
    "clock_gettime": Rule(
        tuple((clock, BUFFER) for clock in (0, 1, 2, 3)),
        # The next clocks; CPU clocks of process 1 and of the caller by number; the device of descriptor 3.
        {0: (4, 5, 6, 7, 8, 9, 11, 16, ~1 << 3 | 2, ~0 << 3 | 2, ~3 << 3 | 3, HIGH, HIGH | 1, MINUS_ONE)},
    ),
    "exit_group": Rule(((0,), (7,))),
    # MADV_DONTNEED, MADV_FREE
    "madvise": Rule(
        ((0, 0, 4), (0, 0, 8)),
        # MADV_WILLNEED, _REMOVE, _DOFORK, _MERGEABLE, _HUGEPAGE, _DODUMP, _HWPOISON, ...
        {2: (0, 1, 2, 3, 9, 11, 12, 14, 17, 20, 21, 22, 100, HIGH | 4, HIGH | 8, MINUS_ONE)},
    ),
    "gettimeofday": Rule(((BUFFER, 0),)),
    "time": Rule(((BUFFER,),)),
    # FUTEX_WAIT for a value that is not there, FUTEX_WAKE, FUTEX_WAIT_BITSET with either clock: private all
    "futex": Rule(
        tuple((BUFFER, operation, 1, 0, 0, 1) for operation in (128, 129, 137, 137 | 256)),
        # shared ones; FUTEX_FD, _REQUEUE, _CMP_REQUEUE, _WAKE_OP, _LOCK_PI, _UNLOCK_PI, _WAKE_BITSET
        {1: (0, 1, 9, 130, 131, 132, 133, 134, 135, 138, 128 | 256, HIGH | 128, HIGH | 129, MINUS_ONE)},
    ),
    "restart_syscall": Rule(),
    "getpid": Rule(),
    "gettid": Rule(),
    "rt_sigprocmask": Rule(((0, 0, BUFFER, 8),)),
    "rt_sigaction": Rule(
        ((6, 0, BUFFER, 8),), {0: (0, 1, 5, 7, 9, 11, 15, 24, 25, 31, 64, HIGH | 6, MINUS_ONE)}
    ),
    "tgkill": Rule(
        ((PID, PID, 6),),
        {
            0: (0, 1, PID - 1, PID + 1, HIGH | PID, MINUS_ONE),
            1: (0, 1, PID - 1, PID + 1, HIGH | PID, MINUS_ONE),
            2: (0, 1, 2, 9, 11, 15, 19, 24, 64, HIGH | 6, MINUS_ONE),
        },
    ),
}

# What is called while the cage closes, before the filter is there.
BEFORE_THE_FILTER = frozenset(
    [
        "capset",
        "clone",
        "close",
        "close_range",
        "getppid",
        "landlock_create_ruleset",
        "landlock_restrict_self",
        "prctl",
        "prlimit64",
        "setgroups",
        "setpgid",
        "setresgid",
        "setresuid",
        "unshare",
    ]
)

# What only asks, and is told that it may not.
QUESTIONS = frozenset(
    [
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
    ]
)


def passing() -> Iterator[Call]:
    """Every call that must pass."""
    for name, rule in RULES.items():
        for arguments in rule.passes:
            yield Call(name, arguments)


def killing() -> Iterator[Call]:
    """Every passing call with one argument changed to a value that must kill."""
    for name, arguments in passing():
        for changed, values in RULES[name].kills.items():
            for value in values:
                yield Call(name, (*arguments[:changed], value, *arguments[changed + 1 :]))
