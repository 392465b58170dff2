"""Makes system calls under the real filter, each in a process of its own, and says how that one ended.

A program of its own, because it forks: its standard input holds one JSON list of trials, its output one
list of outcomes. A trial is ``[number, arguments, filtered]``; an argument is a number or names what only
this program knows (``buffer``, ``pid``, ``pid+1``...). The number ``int 0x80`` is a system call of i386.

A filter that is broken lets calls through, so whoever makes them must not be able to do harm: root becomes
nobody first, and the descriptors are pipes of this program's own.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import signal
import sys
from typing import Any

from flowcage.child.cage import privileges, seccomp
from flowcage.child.cage.architecture import current
from flowcage.child.cage.policy import policy

_RESULTS = 10
_NOBODY = 65534
_DEADLINE_S = 300  # a call that hangs, where the filter should have ended it
_RAW = ctypes.CDLL(None, use_errno=True).syscall
_RAW.restype = ctypes.c_long
_BUFFER = ctypes.create_string_buffer(4096)
# mov eax, 20 (getpid on i386); int 0x80; ret
_I386_GETPID = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"


def main() -> None:
    """Answer all trials."""
    trials = json.load(sys.stdin)
    os.dup2(1, _RESULTS)
    # The wire's ends and the open status, as the child has them: pipes of our own, whatever is done to them.
    ended, closed = os.pipe()
    os.close(closed)
    _reading, writing = os.pipe()
    for descriptor, end in ((0, ended), (1, writing), (3, ended), (4, writing)):
        os.dup2(end, descriptor)
    os.dup2(os.open("/proc/self/status", os.O_RDONLY), 5)
    _become_harmless()
    outcomes = json.dumps([_outcome(*trial) for trial in trials])
    with os.fdopen(_RESULTS, "w") as results:
        results.write(outcomes)


def _become_harmless() -> None:
    os.setsid()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    assert 0 not in os.getresuid()
    with open("/proc/self/status") as status:
        assert "CapEff:\t0000000000000000\n" in status.readlines()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _outcome(number: int | str, arguments: list[Any], filtered: bool) -> str:
    """``errno N`` of a call that returned (0 if it succeeded), or the signal that ended the process."""
    pid = os.fork()
    if pid == 0:
        _try(number, arguments, filtered)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return signal.Signals(-code).name if code < 0 else f"errno {code}"


def _try(number: int | str, arguments: list[Any], filtered: bool) -> None:
    pid = os.getpid()
    names = {
        "buffer": ctypes.addressof(_BUFFER),
        "pid": pid,
        "pid-1": pid - 1,
        "pid+1": pid + 1,
        "high|pid": 1 << 32 | pid,
    }
    values = [ctypes.c_ulong(names.get(argument, argument)) for argument in arguments]
    signal.alarm(_DEADLINE_S)
    if number == "int 0x80":  # while executable memory can be had
        code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(_I386_GETPID)
    if filtered:
        assert privileges.forbid_new_privileges().applied
        architecture = current()
        assert architecture is not None
        rules = policy(reads=3, writes=(1, 2, 4), status=5, pid=pid)
        layer = seccomp.apply(seccomp.assemble(rules, architecture))
        assert layer.applied, layer.detail
    if number == "int 0x80":
        call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
        os._exit(0 if call() == pid else 255)
    result = _RAW(ctypes.c_long(int(number)), *values)
    os._exit(ctypes.get_errno() if result == -1 else 0)


if __name__ == "__main__":
    main()
