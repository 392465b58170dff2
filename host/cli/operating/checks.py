"""What the doctor has found: checks, and the verdict on all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from flowcage.protocol.layers import LAYERS, STRICT_LAYERS
from flowcage.protocol.messages import Layer

# `fact` has nothing to be judged by; `weaker` leaves runs going with less; with a `problem` none goes.
State: TypeAlias = Literal["ok", "fact", "weaker", "problem"]
VerdictWord: TypeAlias = Literal["ready", "ready_with_weaker_isolation", "not_ready"]

_CONTAINER = "in a container see docs/operating.md"
_USERNS = (
    "allow user namespaces: sysctl user.max_user_namespaces above 0, and where they are there "
    f"kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0; {_CONTAINER}"
)
_RLIMIT = "raise the hard limit under which this program runs (ulimit -H, LimitNPROC= and its kin of systemd)"
_ADVICE: Mapping[str, str] = {
    "seccomp": f"use a kernel with CONFIG_SECCOMP_FILTER, and let programs install filters; {_CONTAINER}",
    "capabilities": f"let this program drop its capabilities (capset(2)); {_CONTAINER}",
    "no_new_privs": f"let this program call prctl(2); {_CONTAINER}",
    "sealed_code": "use Linux on x86-64 or arm64, where the filter can refuse writable code",
    "landlock": f"use a kernel of 5.13 or newer with landlock among its LSMs (lsm=…,landlock); {_CONTAINER}",
    "namespaces": _USERNS,
    "uid": "start it as root with CAP_SETUID, CAP_SETGID and CAP_KILL, and with ids above 2,000,000,000",
    "new_code": "use a kernel of 6.3 or newer (PR_SET_MDWE)",
    "parent_death": "use Linux (PR_SET_PDEATHSIG)",
    **dict.fromkeys(("memory", "cpu", "files", "processes", "core", "kernel_memory"), _RLIMIT),
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        value: what it is.
        state: what that means.
        advice: what to do about it; "" for nothing.
    """

    name: str
    value: str
    state: State = "fact"
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        """As ``doctor --json`` prints it."""
        told = {"name": self.name, "state": self.state, "value": self.value}
        return told | ({"advice": self.advice} if self.advice else {})


@dataclass(frozen=True)
class Examination:
    """All checks, in order."""

    checks: tuple[Check, ...] = field(default_factory=tuple)

    @property
    def verdict(self) -> VerdictWord:
        """The worst of them decides."""
        states = {check.state for check in self.checks}
        if "problem" in states:
            return "not_ready"
        return "ready_with_weaker_isolation" if "weaker" in states else "ready"

    @property
    def summary(self) -> str:
        """The verdict in a line, with the names that led to it."""
        word = self.verdict
        state = {"not_ready": "problem", "ready_with_weaker_isolation": "weaker"}.get(word)
        names = ", ".join(check.name.removeprefix("cage ") for check in self.checks if check.state == state)
        said = word.replace("_", " ")
        return f"{said}: {names}" if names else said

    def to_json(self) -> dict[str, Any]:
        """As ``doctor --json`` prints it."""
        checks = [check.to_json() for check in self.checks]
        return {"verdict": self.verdict, "summary": self.summary, "checks": checks}

    def lines(self) -> list[str]:
        """As ``doctor`` prints it: the verdict is the last line."""
        told: list[str] = []
        for check in self.checks:
            told.append(f"{check.name + ':':<24} {check.value}")
            if check.advice:
                told.append(f"{'':<24} to do: {check.advice}")
        return [*told, f"{'verdict:':<24} {self.summary}"]


def of_layers(isolation: Mapping[str, Layer], *, is_required: bool, is_root: bool = True) -> Iterable[Check]:
    """A check for each layer of the cage, as a child has reported them.

    Args:
        isolation: the layers by name.
        is_required: whether runs of this machine need the strict ones, as they do on Linux.
        is_root: whether the child was started by root; only then can it get a user of its own.
    """
    names = [*LAYERS, *(name for name in isolation if name not in LAYERS)]
    for name in names:
        if (layer := isolation.get(name)) is None:
            continue
        if layer.applied:
            yield Check(f"cage {name}", f"yes ({layer.detail})", "ok")
            continue
        if name == "uid" and not is_root:
            yield Check(f"cage {name}", f"no ({layer.detail})")
            continue
        state: State = "problem" if is_required and name in STRICT_LAYERS else "weaker"
        yield Check(f"cage {name}", f"no ({layer.detail})", state, _ADVICE.get(name, _CONTAINER))
