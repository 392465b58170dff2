"""The whole lockdown, in its order, in one function."""

from __future__ import annotations

import os
import struct
import sys

from flowcage.child.cage import code, landlock, namespaces, privileges, process, rlimits, seccomp
from flowcage.child.cage.architecture import current
from flowcage.child.cage.policy import policy
from flowcage.child.stdio import INCOMING, OUTGOING, STATUS
from flowcage.protocol.errors import ISOLATION_UNAVAILABLE, ErrorReply
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import LAYERS, STRICT_LAYERS, Isolation, Layer

_LINUX_ONLY = Layer(False, "Linux only")
_SOME_PID = 0x7FFFFFFF  # above every real one
# What a refused attempt applied still holds, though a second one can neither apply nor see it again.
_held: dict[str, Layer] = {}


def _assemble_filter() -> bytes:
    """The filter but for this process's id; empty where there is none for this machine."""
    architecture = current()
    if architecture is None:
        return b""
    rules = policy(reads=INCOMING, writes=(1, 2, OUTGOING), status=STATUS, pid=_SOME_PID)
    return seccomp.assemble(rules, architecture)


# On import: a child that is forked from a warm one finds it ready.
_FILTER = _assemble_filter()


def prepare() -> None:
    """Apply what a fork(2) inherits: a process that forks caged children does it once for all of them.

    Afterwards files can still be opened, and the process can still fork.
    """
    if "environment" in _held:
        return
    process.reset_inherited_state()
    if sys.platform == "linux":
        process.prefer_for_oom_kill()
        if os.geteuid() == 0:
            _held["namespaces"] = namespaces.enter_as_root()
            privileges.drop_bounding_set()
        else:
            _held["namespaces"] = namespaces.enter_as_user()
        _held["sealed_code"] = code.seal()
        _held["new_code"] = process.refuse_new_code()
        _held["no_new_privs"] = privileges.forbid_new_privileges()
    _held["environment"] = process.environment()


def apply_nothing(limits: Limits, _isolation: Isolation | None = None) -> tuple[Limits, dict[str, Layer]]:
    """What `enter` does where isolation is ``none``."""
    return limits, dict.fromkeys(LAYERS, Layer(False, "isolation none was asked for"))


def enter(
    limits: Limits, isolation: Isolation | None, parent: int | None = None
) -> tuple[Limits, dict[str, Layer]]:
    """Close the cage, before any untrusted source can arrive.

    Args:
        limits: as asked for.
        isolation: ``strict`` refuses to go on without one of `STRICT_LAYERS`; ``best_effort`` goes on and
            says so; ``none`` applies nothing. None means ``strict`` on Linux.
        parent: the process to die with, if any.

    Returns:
        The effective limits, and each of `LAYERS` with how it went.

    Raises:
        ErrorReply: ``isolation_unavailable``.
    """
    level = isolation or ("strict" if sys.platform == "linux" else "best_effort")
    if level == "none":
        return apply_nothing(limits)
    status = process.status()  # while files can be read
    prepare()
    layers = dict.fromkeys(LAYERS, _LINUX_ONLY) | _held
    process.enter_own_process_group()
    if sys.platform == "linux":
        _apply_linux(layers, status, parent)
    limits, resource_limits = rlimits.apply(limits, _mapped_bytes(status))
    layers |= resource_limits
    layers |= {name: held for name, held in _held.items() if not layers[name].applied}
    _held.update((name, layer) for name, layer in layers.items() if layer.applied)
    if level == "strict":
        _require(layers, set(STRICT_LAYERS) - {"seccomp"})
    if sys.platform == "linux":  # last: nothing above would be allowed
        layers["seccomp"] = _filter_system_calls(int(status.get(b"Threads", 0)))
    if level == "strict":
        _require(layers, {"seccomp"})
    return limits, layers


def _apply_linux(layers: dict[str, Layer], status: dict[bytes, bytes], parent: int | None) -> None:
    layers["descriptors"] = process.close_other_descriptors()
    layers["uid"] = privileges.drop_root(status)
    if not layers["namespaces"].applied:  # a root that may not have its own may have a user's
        layers["namespaces"] = namespaces.enter_as_user()
    layers["capabilities"] = privileges.drop_capabilities()
    layers["parent_death"] = process.die_with(parent)  # a change of uid clears it
    layers["memory_access"] = process.hide_memory()
    layers["landlock"] = landlock.apply()  # before RLIMIT_NOFILE: it needs a descriptor


def _mapped_bytes(status: dict[bytes, bytes]) -> int:
    """Virtual memory of this process; a guess where there is no /proc."""
    return int(status.get(b"VmSize", 256 * 1024)) * 1024


def _filter_system_calls(threads: int) -> Layer:
    if threads != 1:
        return Layer(False, f"it would bind one thread, and this process has {threads or 'unknown'}")
    if not _FILTER:
        return Layer(False, "no filter was written for this architecture, only for x86_64 and aarch64")
    own_pid = struct.pack("=I", os.getpid())
    return seccomp.apply(_FILTER.replace(struct.pack("=I", _SOME_PID), own_pid))


def _require(layers: dict[str, Layer], names: set[str]) -> None:
    missing = sorted(name for name in names if not layers[name].applied)
    if missing:
        details = "; ".join(f"{name}: {layers[name].detail}" for name in missing)
        raise ErrorReply(
            ISOLATION_UNAVAILABLE,
            f"strict isolation is not to be had here: {details}; ask for best_effort to go on without",
            {"layers": missing},
        )
