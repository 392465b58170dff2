"""Attacks on the child's own bonds: its limits, its identity, the cage itself, and what it remembers."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
import time
from collections.abc import Iterator

from . import machine_code
from .attack import MACHINE, Attack, Call, Deed, Scene, call, host, system_call, victim
from .numbers import NUMBERS

_X86 = ("x86_64",)
_LIMITS, _PRIORITY = "its own limits", "its share of the machine"
_BONDS, _IDENTITY, _NUMBERS, _SECRETS = "its own bonds", "its identity", "call numbers", "the host's secrets"
_INFINITE = struct.pack("qq", -1, -1)
_RLIMITS = {
    "CPU time": 0,
    "file size": 1,
    "stack": 3,
    "core size": 4,
    "processes": 6,
    "descriptors": 7,
    "locked memory": 8,
    "address space": 9,
    "pending signals": 11,
    "message queues": 12,
}
# The secret that `Attacker` puts into the host's environment.
_SECRET = re.compile(rb"SESAME_[0-9]{16}")


def _burn_cpu(_: Scene) -> Deed:
    """Content with twice the second that it was given."""

    def deed() -> int:
        while time.process_time() < 2:
            pass
        return 0

    return deed


def _fill_the_disk(scene: Scene) -> Deed:
    """Where the host sends stderr to a file."""
    file = os.open(os.path.join(scene.scratch, "bait"), os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 2)
    os.close(file)
    return call("write", 2, bytes(4096), 4096)(scene)


def _search_memory(_: Scene) -> Deed:
    """All that can be written to, where a secret of the host's might linger."""
    regions = list(_regions())

    def deed() -> int:
        found = any(_SECRET.search(ctypes.string_at(start, size)) for start, size in regions)
        return 0 if found else -errno.ENODATA

    return deed


def _regions() -> Iterator[tuple[int, int]]:
    with open("/proc/self/maps") as file:
        for line in file:
            span, rights, *_ = line.split()
            start, end = (int(number, 16) for number in span.split("-"))
            if rights.startswith("rw"):
                yield start, end - start


def _untied(scene: Scene) -> Deed:
    """Whether the kernel would let it live on without its host (PR_GET_PDEATHSIG)."""
    fate = ctypes.create_string_buffer(4)
    ask = call("prctl", 2, ctypes.addressof(fate), 0, 0, 0)(scene)
    return lambda: ask() or (-errno.EPERM if any(fate.raw) else 0)


def _by_i386(number: int) -> Attack:
    def prepare(_: Scene) -> Deed:
        code = machine_code.int_80()
        return lambda: code(number)

    # Where the kernel was built without i386, the instruction itself faults.
    stopped_by = ("SIGSYS", "SIGSEGV")
    return Attack(_NUMBERS, f"call i386's number {number}", prepare, stopped_by, ("EFAULT",), machines=_X86)


def _by_number(number: int) -> Attack:
    return Attack(_NUMBERS, f"call number {number}", lambda _: lambda: system_call(number))


def _from_new_code(_: Scene) -> Deed:
    code = machine_code.bare_call()
    return lambda: code(NUMBERS[MACHINE]["getppid"])


_SHARES = [
    ("raise its priority", call("setpriority", 0, 0, -1)),
    ("lower the host's priority", call("setpriority", 0, host, 19)),
    ("run on every processor", call("sched_setaffinity", 0, 8, struct.pack("Q", 2**64 - 1))),
    ("bind the host to a processor", call("sched_setaffinity", host, 8, struct.pack("Q", 2**64 - 1))),
    ("run in real time", call("sched_setscheduler", 0, 1, struct.pack("i", 1))),
    ("run in batches", call("sched_setscheduler", 0, 3, struct.pack("i", 0))),
    (
        "have a deadline",
        call("sched_setattr", 0, struct.pack("IIQiIQQQ", 48, 6, 0, 0, 0, 1 << 20, 1 << 21, 1 << 21), 0),
    ),
    ("change its scheduling parameters", call("sched_setparam", 0, struct.pack("i", 0))),
    ("do its input and output first", call("ioprio_set", 1, 0, 1 << 13)),
    ("choose its memory's nodes", call("set_mempolicy", 0, 0, 0)),
    ("yield", call("sched_yield")),
    ("slow the host's memory down", call("membarrier", 1 << 3, 0, 0)),
]
_LOOSENING = [
    ("outlive its host", call("prctl", 1, 0, 0, 0, 0)),
    ("become dumpable", call("prctl", 4, 1, 0, 0, 0)),
    ("allow new privileges", call("prctl", 38, 0, 0, 0, 0)),
    ("allow writable code again", call("prctl", 65, 0, 0, 0, 0)),
    ("let anybody trace it", call("prctl", 0x59616D61, -1, 0, 0, 0)),
    ("keep capabilities across a change of user", call("prctl", 8, 1, 0, 0, 0)),
    ("have no secure bits", call("prctl", 28, 0, 0, 0, 0)),
    ("raise an ambient capability", call("prctl", 47, 2, 21, 0, 0)),
    ("adopt orphans", call("prctl", 36, 1, 0, 0, 0)),
    ("take another name", call("prctl", 15, b"init", 0, 0, 0)),
    ("lift its filter by prctl", call("prctl", 22, 0, 0, 0, 0)),
    ("add a filter by prctl", call("prctl", 22, 2, 0, 0, 0)),
    ("add a filter", call("seccomp", 1, 0, 0)),
    ("be asked about its filtered calls", call("seccomp", 1, 8, 0)),
    ("ask what its filter can do", call("seccomp", 2, 0, struct.pack("I", 0x7FFF0000))),
    ("make another Landlock rule set", call("landlock_create_ruleset", struct.pack("Q", 1), 8, 0)),
    ("restrict itself by another rule set", call("landlock_restrict_self", 3, 0)),
    ("change its file mode mask", call("umask", 0)),
    ("be traced through its speculation", call("prctl", 53, 0, 2, 0, 0)),
    ("move its robust list", call("set_robust_list", 0, 24)),
    ("have its thread id cleared", call("set_tid_address", 0)),
    ("register a restartable sequence", call("rseq", 0, 32, 0, 0)),
]
_IDENTITIES = [
    ("become root", call("setuid", 0)),
    ("become root in effect", call("setreuid", -1, 0)),
    ("become root in all ways", call("setresuid", 0, 0, 0)),
    ("become root's group", call("setgid", 0)),
    ("become root's group in effect", call("setregid", -1, 0)),
    ("become root's group in all ways", call("setresgid", 0, 0, 0)),
    ("join root's group", call("setgroups", 1, struct.pack("I", 0))),
    (
        "have every capability",
        call("capset", struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *[2**32 - 1] * 6)),
    ),
    (
        "ask for another's capabilities",
        call("capget", lambda s: struct.pack("Ii", 0x20080522, victim(s)), bytes(24)),
    ),
    ("ask who it is", call("getuid")),
    ("ask who its parent is", call("getppid")),
]
# Numbers that are allowed, as another calling convention means them.
_X32 = [
    ("call x32's getpid", Call("getpid", (), 0x40000000)),
    ("call x32's write", Call("write", (1, b"", 0), 0x40000000)),
    ("call x32's mmap", Call("mmap", (0, 4096, 3, 0x22, -1, 0), 0x40000000)),
]

ATTACKS = [
    *(
        Attack(_LIMITS, f"lift its limit of {name}", call("setrlimit", number, _INFINITE))
        for name, number in _RLIMITS.items()
    ),
    Attack(_LIMITS, "lift a limit by prlimit", call("prlimit64", 0, 9, _INFINITE, 0)),
    Attack(_LIMITS, "change the host's limits", call("prlimit64", host, 7, 0, bytes(16))),
    Attack(_LIMITS, "ask for its limits", call("getrlimit", 9, bytes(16))),
    Attack(_LIMITS, "burn more processor time than it was given", _burn_cpu, ("SIGXCPU",)),
    Attack(_LIMITS, "fill the disk through stderr", _fill_the_disk, ("EFBIG",)),
    *(Attack(_PRIORITY, name, prepare) for name, prepare in _SHARES),
    *(Attack(_BONDS, name, prepare, reached=("EFAULT",)) for name, prepare in _LOOSENING),
    Attack(_BONDS, "find that nothing ties it to its host", _untied),
    *(Attack(_IDENTITY, name, prepare) for name, prepare in _IDENTITIES),
    # It tells the previous one, whether or not it did anything.
    Attack(_IDENTITY, "become root for files", call("setfsuid", 0), caged_only=True),
    *(Attack(_NUMBERS, name, prepare, machines=_X86) for name, prepare in _X32),
    *(_by_number(number) for number in (-1, -2, 100_000)),
    # Linux exempts these two from every filter, and lets them do nothing outside a uprobe's trampoline.
    Attack(_NUMBERS, "call uretprobe", call("uretprobe"), ("SIGSYS", "SIGILL"), machines=_X86),
    Attack(_NUMBERS, "call uprobe", call("uprobe"), ("SIGSYS", "ENXIO", "SIGILL"), machines=_X86),
    *(_by_i386(number) for number in (4, 5, 11, 20)),
    Attack(_NUMBERS, "call from new code", _from_new_code, machines=_X86),
    Attack(_SECRETS, "find the host's environment in its memory", _search_memory, ("ENODATA",)),
]
