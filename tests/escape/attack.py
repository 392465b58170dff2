"""What an attack is: something prepared before the lockdown, carried out after it, and how it ended."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from .numbers import NUMBERS

MACHINE = os.uname().machine
SIGSYS, EACCES = "SIGSYS", "EACCES"
GOT_THROUGH, NO_ATTACK = "got through", "no attack"


class Scene(NamedTuple):
    """What there is to attack.

    Attributes:
        host: the process that the attacker dies with.
        victim: another process of the host's user.
        scratch: a folder that everybody may write to, so that only the cage protects what is in it.
    """

    host: int
    victim: int
    scratch: str


# Carries it out: 0 or more when it succeeded, an errno below 0 when it was refused.
Deed: TypeAlias = Callable[[], int]
Preparation: TypeAlias = Callable[[Scene], Deed]
# Bytes are passed by their address.
Argument: TypeAlias = int | bytes | Callable[[Scene], int | bytes]


class Attack(NamedTuple):
    """One thing that native code in the child might try.

    Attributes:
        family: of CAGE.md's list, as the documentation groups it.
        name: what it would achieve; an imperative, unique.
        prepare: opens and allocates what is needed, while that is still possible.
        stopped_by: what the full cage answers: a signal's name, or an errno's.
        reached: errnos that come only after permission was given; they count as having got through.
        caged_only: never tried with a layer removed, because it would do harm or nothing.
        machines: where it makes sense.
    """

    family: str
    name: str
    prepare: Preparation
    stopped_by: tuple[str, ...] = (SIGSYS,)
    reached: tuple[str, ...] = ()
    caged_only: bool = False
    machines: tuple[str, ...] = ("x86_64", "aarch64")

    @property
    def possible(self) -> bool:
        """Whether this machine has it."""
        known = not isinstance(self.prepare, Call) or self.prepare.name in NUMBERS[MACHINE]
        return MACHINE in self.machines and known


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def system_call(number: int, *arguments: int) -> int:
    """As the kernel answers: an errno below 0 when it was refused."""
    result: int = _libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return -ctypes.get_errno() if result == -1 else result


@dataclass(frozen=True)
class Call:
    """A raw system call, as a `Preparation`."""

    name: str
    arguments: tuple[Argument, ...] = ()
    variant: int = 0

    def __call__(self, scene: Scene) -> Deed:
        number = NUMBERS[MACHINE][self.name] | self.variant
        given = [argument(scene) if callable(argument) else argument for argument in self.arguments]
        buffers = [ctypes.create_string_buffer(value) for value in given if isinstance(value, bytes)]
        addresses = iter([ctypes.addressof(buffer) for buffer in buffers])
        plain = [next(addresses) if isinstance(value, bytes) else value for value in given]

        def deed(_keep: object = buffers) -> int:
            return system_call(number, *plain)

        return deed


def call(name: str, *arguments: Argument) -> Call:
    """A raw system call by its name."""
    return Call(name, arguments)


def victim(scene: Scene) -> int:
    """Another process of the host's user."""
    return scene.victim


def host(scene: Scene) -> int:
    """The process that started the attacker."""
    return scene.host


def at(name: str) -> Callable[[Scene], bytes]:
    """A path in the folder that everybody may write to."""
    return lambda scene: os.path.join(scene.scratch, name).encode()


class Outcome(NamedTuple):
    """How an attack ended.

    Attributes:
        name: a signal's name, an errno's, `GOT_THROUGH`, or `NO_ATTACK` where it was not carried out.
        detail: what the attacker said before it ended.
    """

    name: str
    detail: str = ""

    @property
    def got_through(self) -> bool:
        """Whether it did what it was after."""
        return self.name == GOT_THROUGH

    @property
    def stopped(self) -> bool:
        """Whether it was tried and did not get through."""
        return self.name not in (GOT_THROUGH, NO_ATTACK)


def outcome(attack: Attack, status: int, said: bytes) -> Outcome:
    """Judge by the wait status and by what came over the wire."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return Outcome(NO_ATTACK, "it hung until the deadline")
    if os.WIFSIGNALED(status):
        return Outcome(signal.Signals(os.WTERMSIG(status)).name)
    if os.WEXITSTATUS(status) or not said.lstrip(b"-").isdigit():
        return Outcome(NO_ATTACK, f"status {os.WEXITSTATUS(status)}: {said.decode(errors='replace')}")
    result = int(said)
    if result >= 0:
        return Outcome(GOT_THROUGH, str(result))
    name = errno.errorcode.get(-result, f"errno {-result}")
    return Outcome(GOT_THROUGH, name) if name in attack.reached else Outcome(name)
