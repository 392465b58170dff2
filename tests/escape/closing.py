"""Two ways in which a hostile child gets into its cage: by itself, or by a plan that was made before."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from flowcage.child.cage import lockdown, privileges, process, seccomp
from flowcage.child.cage.highwater import open_high_water
from flowcage.child.cage.plan import Call, Plan
from flowcage.child.stdio import STATUS
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Layer

from . import machine_code
from .cages import LIMITS_OF, remove


class Closing(Protocol):
    """Closes the cage of a process that was just forked."""

    def begin(self) -> None:
        """Do what comes before the attack is prepared."""

    def close(self, without: Collection[str]) -> dict[str, Layer]:
        """Close it, but for some layers; returns what is reported of all of them."""


class ByItself(NamedTuple):
    """As a child does that was executed."""

    limits: Limits
    host: int

    def begin(self) -> None:
        """Open its own status."""
        open_high_water()

    def close(self, without: Collection[str]) -> dict[str, Layer]:
        """Go through the whole lockdown."""
        remove(without)
        return lockdown.enter(self.limits, "strict", self.host)[1]


class Prepared(NamedTuple):
    """As a zygote's child does."""

    plan: Plan
    layers: dict[str, Layer]

    def begin(self) -> None:
        """Keep the number of its own status free: what the attack opens gets other ones."""
        os.dup2(0, STATUS)

    def close(self, without: Collection[str]) -> dict[str, Layer]:
        """Carry out the plan."""
        os.close(STATUS)
        leave_out(self.plan, without)
        self.plan.carry_out()
        return self.layers


def prepared(limits: Limits) -> Prepared:
    """Become what a zygote is, and learn from a child that goes the long way."""
    if os.uname().machine == "x86_64":
        machine_code.make_all()
    lockdown.prepare()
    host = os.getpid()
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.dup2(writing, 1)
        os.dup2(0, STATUS)
        os.write(1, pickle.dumps(lockdown.enter(limits, "strict", host)))
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        effective, layers = pickle.loads(file.read())
    os.wait()
    return Prepared(lockdown.plan(effective, layers, host), layers)


# The calls of each layer. Without "descriptors" a plan ends the process, because Landlock's gets another
# number; what is missing else is inherited from the zygote.
_CALLS: dict[str, Callable[[Call], bool]] = {
    "uid": lambda call: call.name in ("setgroups", "setresgid", "setresuid"),
    "capabilities": lambda call: call.name == "capset" or _sets(call, privileges.PR_CAP_AMBIENT),
    "parent_death": lambda call: _sets(call, process.PR_SET_PDEATHSIG),
    "memory_access": lambda call: _sets(call, process.PR_SET_DUMPABLE),
    "landlock": lambda call: call.name.startswith("landlock_") or call.name == "close",
    "seccomp": lambda call: _sets(call, seccomp.PR_SET_SECCOMP),
}
PLANNED = {*_CALLS, *LIMITS_OF}


def leave_out(plan: Plan, layers: Collection[str]) -> None:
    """Take the calls of these layers out of a plan, in this process and for good."""
    left = {resource_limit for layer in layers for resource_limit in LIMITS_OF.get(layer, ())}

    def is_left(call: Call) -> bool:
        is_limit = call.name == "prlimit64" and call.arguments[1] in left
        return is_limit or any(layer in _CALLS and _CALLS[layer](call) for layer in layers)

    kept = [at for at, call in enumerate(plan.calls) if not is_left(call)]
    plan._numbered[:] = [plan._numbered[at] for at in kept]
    plan.calls[:] = [plan.calls[at] for at in kept]


def _sets(call: Call, option: int) -> bool:
    return call.name == "prctl" and call.arguments[0] == option
