"""Cages with layers missing: each missing one claims to be applied and does nothing."""

from __future__ import annotations

import resource
from collections.abc import Callable, Collection
from types import ModuleType

from flowcage.child.cage import code, landlock, namespaces, privileges, process, rlimits, seccomp
from flowcage.protocol.messages import Layer

_FUNCTIONS: dict[str, list[tuple[ModuleType, str]]] = {
    "descriptors": [(process, "close_other_descriptors")],
    "environment": [(process, "environment")],
    "capabilities": [(privileges, "drop_capabilities")],
    "no_new_privs": [(privileges, "forbid_new_privileges")],
    "seccomp": [(seccomp, "apply")],
    "memory_access": [(process, "hide_memory")],
    "sealed_code": [(code, "seal")],
    "new_code": [(process, "refuse_new_code")],
    "parent_death": [(process, "die_with")],
    "uid": [(privileges, "drop_root")],
    "landlock": [(landlock, "apply")],
    "namespaces": [(namespaces, "enter_as_root"), (namespaces, "enter_as_user")],
}
LIMITS_OF = {
    "memory": {resource.RLIMIT_AS},
    "cpu": {resource.RLIMIT_CPU},
    "files": {resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE},
    "processes": {resource.RLIMIT_NPROC},
    "core": {resource.RLIMIT_CORE},
    "kernel_memory": {resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_SIGPENDING},
}


def remove(layers: Collection[str]) -> None:
    """Make `lockdown.enter` do without these layers, in this process and for good."""
    spared: set[int] = set()
    for name in layers:
        spared |= LIMITS_OF.get(name, set())
        for module, function in _FUNCTIONS.get(name, []):
            setattr(module, function, _pretend)
    setattr(rlimits, "_lower", _sparing(rlimits._lower, spared))  # noqa: B010  (a test-only patch)


def _pretend(*_: object) -> Layer:
    return Layer(True, "removed by the attack suite")


def _sparing(lower: Callable[[int, int, int], None], spared: set[int]) -> Callable[[int, int, int], None]:
    def sparing(which: int, soft: int, hard: int) -> None:
        if which not in spared:
            lower(which, soft, hard)

    return sparing
