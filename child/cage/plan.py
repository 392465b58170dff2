"""The lockdown of a zygote's child as a list of system calls that was prepared before the fork.

`lockdown.enter` looks at the process, decides, acts, and words what it did. In the children of one zygote
that are told the same limits, all of that comes to the same each time: they are forked from one process, by
one thread, with the same descriptors, credentials and resource limits. So one child of the zygote goes the
long way (`child/prepared.py`), and what it reported tells which calls the others have to make. Their numbers
and arguments lie ready in memory that the children share, and nothing of it is looked up, read from /proc or
worded anew.

This is not a weaker cage:

- The calls are those of `enter`, with the same arguments and in the same order; what is left out only reads
  (/proc, current limits, the version of Landlock). Descriptors are closed up to the highest possible number,
  so that no listing has to show that none is left. `tests/process/test_prepared.py` compares the calls of
  both ways as strace(1) shows them, and what the kernel tells of the processes.
- The result of every call is compared with the one that it had in the child that went the long way. Any
  other ends the process: no child has a part of its cage, and none reports a layer that it lacks.
- A layer that was optional and missing stays missing. One that `enter` requires was there, or there is no
  plan.

What depends on the child itself is its process id: its user id (`privileges.drop_root`) and one operand of
the filter, which it fills in.
"""

import ctypes
import os
import signal
from collections.abc import Callable, Iterator

from flowcage._hints import NamedTuple, NoReturn
from flowcage.child.cage import landlock, libc, namespaces, privileges, process, rlimits, seccomp
from flowcage.child.cage.architecture import Architecture
from flowcage.child.cage.highwater import OPEN_STATUS
from flowcage.child.stdio import STATUS
from flowcage.protocol.layers import STRICT_LAYERS
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Layer

# The lowest number that is free: the ruleset of Landlock gets it.
_NEXT_DESCRIPTOR = STATUS + 1
_HIGHEST_DESCRIPTOR = 0xFFFFFFFF
# Stands for the child's user id, three times: no call of a plan has these arguments otherwise.
OWN_USER = (privileges.FIRST_UID,) * 3
_MOST_ARGUMENTS = 6
# CPython adapts bytecode after eight uses or more.
_REHEARSALS = 20
# Layers that the calls make; without one of them, `enter` has met something that a plan knows nothing of.
_REQUIRED = {*STRICT_LAYERS, "kernel_memory", "memory_access", "parent_death"}


class Call(NamedTuple):
    """A system call by its name, and the result that it must have."""

    name: str
    arguments: tuple[int, ...] = ()
    expected: int = 0


class Plan:
    """What closes the cage of a child that was just forked. It lives as long as the process that made it.

    Args:
        limits: the effective ones, as the child that went the long way has reported them.
        layers: as it has reported them.
        inherited: layers that held before the fork (`lockdown.prepare`).
        parent: id of the process whose end ends the child.
        filter_code: the filter, with `some_pid` in the place of the child's id.
        architecture: what the calls are numbered for.

    Attributes:
        calls: all calls, in their order. `OWN_USER` stands for the child's user id.

    Raises:
        ValueError: the child has reported something else than a whole cage.
    """

    def __init__(
        self,
        limits: Limits,
        layers: dict[str, Layer],
        inherited: dict[str, Layer],
        parent: int,
        filter_code: bytes,
        some_pid: int,
        architecture: Architecture,
    ) -> None:
        if missing := sorted(name for name in _REQUIRED if not layers[name].applied):
            raise ValueError(f"a plan needs {', '.join(missing)}")
        self._memory: list[ctypes.Array[ctypes.c_uint64]] = []
        self._filter = seccomp.Program(filter_code)
        self._own_pid = self._filter.operands(some_pid)
        self.calls = [
            Call("openat", OPEN_STATUS, STATUS),
            Call("setpgid", (0, 0)),
            Call("close_range", (_NEXT_DESCRIPTOR, _HIGHEST_DESCRIPTOR, 0)),
            *self._user(layers["uid"]),
            *self._namespaces(layers["namespaces"], inherited["namespaces"]),
            Call("prctl", (privileges.PR_CAP_AMBIENT, privileges.PR_CAP_AMBIENT_CLEAR_ALL)),
            Call("capset", privileges.CAPSET),
            Call("prctl", (process.PR_SET_PDEATHSIG, signal.SIGKILL.value)),
            Call("getppid", (), parent),
            Call("prctl", (process.PR_SET_DUMPABLE, 0)),
            *self._landlock(layers["landlock"]),
            *(self._limit(*each) for each in rlimits.planned(limits)),
            Call("prctl", (seccomp.PR_SET_SECCOMP, seccomp.MODE_FILTER, self._filter.address)),
        ]
        self._asking = architecture.numbers["getppid"]
        self._numbered = [
            (architecture.numbers[name], None if arguments == OWN_USER else _six(arguments), expected)
            for name, arguments, expected in self.calls
        ]

    def _user(self, layer: Layer) -> list[Call]:
        if not layer.applied:
            return []
        user = OWN_USER if layer.detail == privileges.OWN_USER else (privileges.NOBODY,) * 3
        return [Call("setgroups", (0, 0)), Call("setresgid", user), Call("setresuid", user)]

    def _namespaces(self, layer: Layer, inherited: Layer) -> list[Call]:
        is_own = layer.applied and not inherited.applied
        return [Call("unshare", (namespaces.ALL_AND_USER,))] if is_own else []

    def _landlock(self, layer: Layer) -> list[Call]:
        if not layer.applied:
            return []
        rights = landlock.all_rights(landlock.abi_version())
        self._memory.append(rights)
        created = (ctypes.addressof(rights), ctypes.sizeof(rights), 0)
        return [
            Call("landlock_create_ruleset", created, _NEXT_DESCRIPTOR),
            Call("landlock_restrict_self", (_NEXT_DESCRIPTOR, 0)),
            Call("close", (_NEXT_DESCRIPTOR,)),
        ]

    def _limit(self, which: int, soft: int, hard: int) -> Call:
        pair = (ctypes.c_uint64 * 2)(soft, hard)
        self._memory.append(pair)
        return Call("prlimit64", (0, which, ctypes.addressof(pair), 0))

    def carry_out(self) -> None:
        """Make the calls. A call with another result than expected ends the process with a status."""
        self._carry_out(libc.raw_syscall)

    def rehearse(self) -> None:
        """Go through `carry_out` without an effect, so that a child finds caches filled that it would fill.

        In the place of each call another one is made, which only asks.
        """
        for _ in range(_REHEARSALS):
            expected = iter([expected for *_, expected in self._numbered])

            def ask(_number: int, *arguments: int, expected: Iterator[int] = expected) -> int:
                libc.raw_syscall(self._asking, *arguments)
                return next(expected)

            self._carry_out(ask)

    def _carry_out(self, make: Callable[..., int]) -> None:
        pid = os.getpid()
        for operand in self._own_pid:
            operand.value = pid
        own_user = _six((privileges.FIRST_UID + pid,) * 3)
        for number, arguments, expected in self._numbered:
            if (result := make(number, *(arguments or own_user))) != expected:
                self._end(number, result)

    def _end(self, number: int, result: int) -> NoReturn:
        name = next(
            call.name for call, (each, *_) in zip(self.calls, self._numbered, strict=True) if each == number
        )
        reason = os.strerror(ctypes.get_errno()) if result == -1 else f"{result} was not expected"
        os.write(2, f"flowcage-child: the prepared cage was not closed: {name}: {reason}\n".encode())
        os._exit(os.EX_OSERR)


def _six(arguments: tuple[int, ...]) -> tuple[int, ...]:
    return arguments + (0,) * (_MOST_ARGUMENTS - len(arguments))
