"""Attacks on the kernel's wider surfaces: what has had the most holes, and what outlives a process."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import TypeAlias

from .attack import Attack, Call, Deed, Preparation, Scene, at, call, host, victim

_SURFACES, _SPACES = "the kernel's wide interfaces", "namespaces and mounts"
_OBJECTS, _TIMES, _NEWS = "objects that outlive it", "timers and waiting", "what it could learn"
_AT_CWD = -100
_QUEUE = b"flowcage-test"
_CREATE = 0o1600  # IPC_CREAT | 0600
_NO_TIME = struct.pack("qqqq", 0, 0, 0, 0)
_SIGEV_NONE = struct.pack("QiiQQ", 0, 0, 1, 0, 0) + bytes(32)
_INVALID = ("EINVAL",)
_UNSUPPORTED = ("EOPNOTSUPP", "ENOTSUP")


def _others_namespaces(scene: Scene) -> Deed:
    descriptor = os.pidfd_open(scene.victim)
    return call("setns", descriptor, 0x40000000)(scene)


def _for_a_moment(make: Call, remove: Callable[[int], Call]) -> Preparation:
    """Make what outlives a process, and take it away again: a test leaves nothing behind."""

    def prepare(scene: Scene) -> Deed:
        deed = make(scene)

        def made_and_removed() -> int:
            result = deed()
            if result >= 0:
                remove(result)(scene)()
            return result

        return made_and_removed

    return prepare


def _hosts_shared_memory(scene: Scene) -> Deed:
    """A segment from before the lockdown; marked for removal, it goes with its last user."""
    identifier = call("shmget", 0, 4096, _CREATE | 0o666)(scene)()
    call("shmat", identifier, 0, 0)(scene)()
    call("shmctl", identifier, 0, 0)(scene)()
    return call("shmctl", identifier, 2, bytes(256))(scene)


def _clock_of(scene: Scene) -> int:
    """The clock of another process's CPU time, as clock_getcpuclockid(3) makes it."""
    return (~scene.host << 3) | 2


_Row: TypeAlias = tuple[str, Preparation, tuple[str, ...]]

_WIDE: list[_Row] = [
    ("set up io_uring", call("io_uring_setup", 1, bytes(120)), ()),
    ("enter io_uring", call("io_uring_enter", 3, 1, 0, 0, 0, 0), _UNSUPPORTED),
    ("register with io_uring", call("io_uring_register", 3, 0, 0, 0), _UNSUPPORTED),
    ("make a BPF map", call("bpf", 0, struct.pack("IIIII", 2, 4, 4, 1, 0) + bytes(100), 120), ()),
    ("load a BPF program", call("bpf", 5, bytes(120), 120), _INVALID),
    ("handle page faults", call("userfaultfd", 1), ()),
    ("handle the kernel's page faults", call("userfaultfd", 0), ()),
    (
        "count its own events",
        call("perf_event_open", struct.pack("IIQQ", 1, 64, 0, 0) + bytes(40), 0, -1, -1, 0),
        (),
    ),
    (
        "count the host's events",
        call("perf_event_open", struct.pack("IIQQ", 1, 64, 0, 0) + bytes(40), host, -1, -1, 0),
        (),
    ),
    ("add a key", call("add_key", b"user", b"flowcage-test", b"x", 1, -2), ()),
    ("ask for a key", call("request_key", b"user", b"flowcage-test", 0, -2), ("ENOKEY",)),
    ("join a key ring", call("keyctl", 1, 0, 0, 0, 0), ()),
    ("set up asynchronous input and output", call("io_setup", 1, bytes(8)), ()),
    ("read the kernel's messages", call("syslog", 3, bytes(16), 16), ()),
    ("open the old file system table", call("sysfs", 3), ()),
]
_NAMESPACES: list[_Row] = [
    ("make a user namespace", call("unshare", 0x10000000), ()),
    ("make a mount namespace", call("unshare", 0x00020000), ()),
    ("make a network namespace", call("unshare", 0x40000000), ()),
    ("make a PID namespace", call("unshare", 0x20000000), ()),
    ("make a time namespace", call("unshare", 0x00000080), ()),
    ("make all namespaces at once", call("unshare", 0x7E020000), ()),
    ("share nothing", call("unshare", 0x400), ()),
    ("join another's network", _others_namespaces, ()),
    ("mount a file system", call("mount", b"none", at("folder"), b"nosuchfs", 0, 0), ("ENODEV",)),
    ("bind a folder", call("mount", at("folder"), at("folder"), 0, 0x1000, 0), ()),
    ("unmount a file system", call("umount2", at("folder"), 0), _INVALID),
    ("change the root by pivoting", call("pivot_root", at("folder"), at("folder")), _INVALID),
    ("change the root", call("chroot", at("folder")), ()),
    ("open a file system", call("fsopen", b"tmpfs", 0), ()),
    ("configure a file system", call("fsconfig", 3, 0, 0, 0, 0), _INVALID),
    ("mount an open file system", call("fsmount", 3, 0, 0), _INVALID),
    ("pick a file system", call("fspick", _AT_CWD, at("folder"), 0), ()),
    ("open a tree of mounts", call("open_tree", _AT_CWD, at("folder"), 0), ()),
    ("copy a tree of mounts", call("open_tree", _AT_CWD, at("folder"), 1), ()),
    ("move a mount", call("move_mount", _AT_CWD, at("folder"), _AT_CWD, at("folder"), 0), _INVALID),
    ("change a mount", call("mount_setattr", _AT_CWD, at("folder"), 0, bytes(32), 32), _INVALID),
    ("list mounts", call("listmount", struct.pack("IIQQQ", 32, 0, 2**64 - 1, 0, 0), bytes(80), 10, 0), ()),
    (
        "ask about a mount",
        call("statmount", struct.pack("IIQQ", 24, 0, 1, 1), bytes(512), 512, 0),
        ("ENOENT",),
    ),
]
_PERSISTENT: list[_Row] = [
    (
        "make shared memory",
        _for_a_moment(call("shmget", 0, 4096, _CREATE), lambda n: call("shmctl", n, 0, 0)),
        (),
    ),
    ("attach shared memory", call("shmat", 0, 0, 0), _INVALID),
    ("attach shared memory as code", call("shmat", 0, 0, 0o100000), _INVALID),
    ("detach shared memory", call("shmdt", 0), _INVALID),
    ("list shared memory", call("shmctl", 0, 14, bytes(128)), ()),
    ("look at the host's shared memory", _hosts_shared_memory, ()),
    (
        "make a message queue",
        _for_a_moment(call("msgget", 0, _CREATE), lambda n: call("msgctl", n, 0, 0)),
        (),
    ),
    ("send to a message queue", call("msgsnd", 0, bytes(16), 0, 0o4000), _INVALID),
    ("receive from a message queue", call("msgrcv", 0, bytes(16), 0, 0, 0o4000), _INVALID),
    ("remove a message queue", call("msgctl", -1, 0, 0), _INVALID),
    (
        "make semaphores",
        _for_a_moment(call("semget", 0, 1, _CREATE), lambda n: call("semctl", n, 0, 0, 0)),
        (),
    ),
    ("use semaphores", call("semop", 0, bytes(6), 1), _INVALID),
    ("use semaphores for a while", call("semtimedop", 0, bytes(6), 1, 0), _INVALID),
    ("remove semaphores", call("semctl", -1, 0, 0, 0), _INVALID),
    (
        "open a POSIX message queue",
        _for_a_moment(call("mq_open", _QUEUE, 0o102, 0o600, 0), lambda _: call("mq_unlink", _QUEUE)),
        (),
    ),
    ("remove a POSIX message queue", call("mq_unlink", _QUEUE), ("ENOENT",)),
]
_WAITING: list[_Row] = [
    ("make a timer", call("timer_create", 1, _SIGEV_NONE, bytes(8)), ()),
    ("remove a timer", call("timer_delete", 0), _INVALID),
    ("set an interval timer", call("setitimer", 0, 0, 0), ()),
    ("read an interval timer", call("getitimer", 0, bytes(32)), ()),
    ("set an alarm", call("alarm", 0), ()),
    ("make a timer descriptor", call("timerfd_create", 1, 0), ()),
    ("make an event descriptor", call("eventfd2", 0, 0), ()),
    ("make a signal descriptor", call("signalfd4", -1, bytes(8), 8, 0), ()),
    ("sleep", call("nanosleep", _NO_TIME, 0), ()),
    ("sleep by a clock", call("clock_nanosleep", 1, 0, _NO_TIME, 0), ()),
    ("wait for a shared lock", call("futex", bytes(8), 0, 1, _NO_TIME), ("EAGAIN",)),
    ("wake others at a shared lock", call("futex", bytes(8), 1, 1), ()),
    ("move waiters to another lock", call("futex", bytes(8), 3 | 128, 0, 0, bytes(8)), ()),
    ("inherit priority by a lock", call("futex", bytes(8), 6 | 128, 0, 0), ()),
    ("wait for many locks", call("futex_waitv", 0, 0, 0, 0, 0), _INVALID),
]
_LEARNING: list[_Row] = [
    ("read the host's processor time", call("clock_gettime", _clock_of, bytes(16)), ()),
    ("read the clock of the whole machine's start", call("clock_gettime", 7, bytes(16)), ()),
    ("ask how fine a clock is", call("clock_getres", 1, bytes(16)), ()),
    ("ask for the machine's memory", call("sysinfo", bytes(128)), ()),
    ("ask for the machine's name", call("uname", bytes(400)), ()),
    ("ask which processor it is on", call("getcpu", bytes(8), 0, 0), ()),
    ("ask what it has used", call("getrusage", 0, bytes(160)), ()),
    ("ask what times it has used", call("times", bytes(32)), ()),
    ("ask for its processors", call("sched_getaffinity", host, 128, bytes(128)), ()),
    ("ask for the host's priority", call("getpriority", 0, victim), ()),
]

ATTACKS = [
    Attack(family, name, prepare, reached=reached)
    for family, attacks in (
        (_SURFACES, _WIDE),
        (_SPACES, _NAMESPACES),
        (_OBJECTS, _PERSISTENT),
        (_TIMES, _WAITING),
        (_NEWS, _LEARNING),
    )
    for name, prepare, reached in attacks
] + [Attack(_TIMES, "wait for ever", call("pause"), caged_only=True, machines=("x86_64",))]
