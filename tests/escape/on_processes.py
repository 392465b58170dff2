"""Attacks on other processes, and new processes of its own."""

from __future__ import annotations

import ctypes
import os
import signal
import struct

from . import machine_code
from .attack import MACHINE, Attack, Deed, Preparation, Scene, call, host, system_call, victim
from .numbers import NUMBERS

_HARMLESS = int(signal.SIGURG)  # ignored by whoever did not ask for it
_VFORK, _VM, _FILES, _THREAD, _SIGHAND, _FS = 0x4000, 0x100, 0x400, 0x10000, 0x800, 0x200
_CHILD_DIED = int(signal.SIGCHLD)
_ATTACH, _SEIZE, _TRACEME = 16, 0x4206, 0
_COLD = 20
_NOWHERE = 8  # no address; the kernel says EFAULT once it has got so far
_SIGINFO = struct.pack("iiiii", _HARMLESS, 0, -1, 0, 0) + bytes(108)
_FAULT = ("EFAULT",)
_X86 = ("x86_64",)


def _forks(name: str, *arguments: int) -> Preparation:
    """A call that returns twice; in machine code, because the new process may share our stack."""

    def prepare(_: Scene) -> Deed:
        code, number = machine_code.forking_call(), NUMBERS[MACHINE][name]
        padded = [*arguments, 0, 0, 0, 0, 0][:5]
        return lambda: code(number, *padded)

    return prepare


def _clone3(_: Scene) -> Deed:
    code = machine_code.forking_call()
    wanted = ctypes.create_string_buffer(struct.pack("8Q", 0, 0, 0, 0, _CHILD_DIED, 0, 0, 0))
    return lambda: code(NUMBERS[MACHINE]["clone3"], ctypes.addressof(wanted), 64, 0, 0, 0)


def _thread(_: Scene) -> Deed:
    code = machine_code.forking_call()
    stack = ctypes.create_string_buffer(65536)
    flags = _VM | _FS | _FILES | _SIGHAND | _THREAD

    def deed() -> int:
        top = (ctypes.addressof(stack) + 65536) & ~15
        return code(NUMBERS[MACHINE]["clone"], flags, top, 0, 0, 0)

    return deed


def _fork_by_clone(_: Scene) -> Deed:
    def deed() -> int:
        result = system_call(NUMBERS[MACHINE]["clone"], _CHILD_DIED, 0, 0, 0, 0)
        if result == 0:
            os._exit(0)
        return result

    return deed


def _with_pidfd(name: str, *arguments: int | bytes) -> Preparation:
    """A pidfd of the victim where the cage lets it live; the descriptor layer closes it."""

    def prepare(scene: Scene) -> Deed:
        return call(name, os.pidfd_open(scene.victim), *arguments)(scene)

    return prepare


def _own_vector(scene: Scene) -> bytes:
    del scene
    return struct.pack("QQ", _NOWHERE, 8)


_NEW = [
    Attack("programs", "execve a shell", call("execve", b"/bin/sh", _NOWHERE, 0), reached=_FAULT),
    Attack(
        "programs",
        "execveat a shell",
        call("execveat", -100, b"/bin/sh", _NOWHERE, 0, 0),
        reached=_FAULT,
    ),
    Attack(
        "programs", "load a library for itself", call("uselib", b"/bin/sh"), machines=_X86, caged_only=True
    ),
    Attack("new processes", "fork", _forks("fork"), machines=_X86),
    Attack("new processes", "vfork", _forks("vfork"), machines=_X86),
    Attack("new processes", "fork by clone", _fork_by_clone),
    Attack("new processes", "vfork by clone", _forks("clone", _VFORK | _VM | _CHILD_DIED), machines=_X86),
    Attack("new processes", "fork by clone3", _clone3, machines=_X86),
    Attack("new processes", "start a thread", _thread, machines=_X86),
    Attack("new processes", "leave its session", call("setsid"), reached=("EPERM",)),
    Attack("new processes", "change its process group", call("setpgid", 0, 0), reached=("EPERM",)),
    Attack("new processes", "wait for a child", call("wait4", -1, 0, 1, 0), reached=("ECHILD",)),
    Attack("new processes", "wait for any process", call("waitid", 0, 0, 0, 5, 0), reached=("ECHILD",)),
]

_SIGNALS: list[tuple[str, Preparation]] = [
    ("kill the host", call("kill", host, _HARMLESS)),
    ("kill another process", call("kill", victim, _HARMLESS)),
    ("kill every process", call("kill", -1, 0)),
    ("kill its process group", call("kill", 0, 0)),
    ("kill itself", call("kill", lambda _: os.getpid(), _HARMLESS)),
    ("tgkill the host", call("tgkill", host, host, _HARMLESS)),
    ("tgkill another process with SIGABRT", call("tgkill", victim, victim, 0)),
    ("tgkill itself with another signal", call("tgkill", lambda _: os.getpid(), lambda _: os.getpid(), 23)),
    ("tkill another process", call("tkill", victim, _HARMLESS)),
    ("queue a signal to the host", call("rt_sigqueueinfo", host, _HARMLESS, _SIGINFO)),
    ("queue a signal to a thread", call("rt_tgsigqueueinfo", victim, victim, _HARMLESS, _SIGINFO)),
    ("open a pidfd of the host", call("pidfd_open", host, 0)),
    ("open a pidfd of another process", call("pidfd_open", victim, 0)),
    ("signal by a pidfd", _with_pidfd("pidfd_send_signal", _HARMLESS, 0, 0)),
    ("take a descriptor by a pidfd", _with_pidfd("pidfd_getfd", 0, 0)),
    ("wait until it is signalled", call("rt_sigtimedwait", bytes(8), 0, struct.pack("qq", 0, 0), 8)),
    ("use another signal stack", call("sigaltstack", 0, 0)),
    ("catch another signal", call("rt_sigaction", 23, 0, 0, 8)),
    ("ask what its session is", call("getsid", victim)),
    ("ask for another's process group", call("getpgid", victim)),
]

_MEMORIES: list[tuple[str, Preparation]] = [
    ("trace another process", call("ptrace", _ATTACH, victim, 0, 0)),
    ("seize the host", call("ptrace", _SEIZE, host, 0, 0)),
    ("have itself traced by the host", call("ptrace", _TRACEME, 0, 0, 0)),
    ("read the host's memory", call("process_vm_readv", host, _own_vector, 1, _own_vector, 1, 0)),
    ("read another process's memory", call("process_vm_readv", victim, _own_vector, 1, _own_vector, 1, 0)),
    (
        "write to another process's memory",
        call("process_vm_writev", victim, _own_vector, 1, _own_vector, 1, 0),
    ),
    ("advise on another process's memory", _with_pidfd("process_madvise", bytes(16), 0, _COLD, 0)),
    ("release another process's memory", _with_pidfd("process_mrelease", 0)),
    ("compare with another process", call("kcmp", victim, host, 1, 0, 0)),
    ("move another process's pages", call("migrate_pages", victim, 0, 0, 0)),
    ("find another process's pages", call("move_pages", victim, 0, 0, 0, 0, 0)),
    ("read another process's robust list", call("get_robust_list", victim, bytes(8), bytes(8))),
]
_REACHED = {
    "wait until it is signalled": ("EAGAIN",),
    "read the host's memory": _FAULT,
    "read another process's memory": _FAULT,
    "write to another process's memory": _FAULT,
    "release another process's memory": ("EINVAL",),
}

ATTACKS = [
    *_NEW,
    *(
        Attack("signals and pidfds", name, prepare, reached=_REACHED.get(name, ()))
        for name, prepare in _SIGNALS
    ),
    *(
        Attack("memory of others", name, prepare, reached=_REACHED.get(name, ()))
        for name, prepare in _MEMORIES
    ),
]
