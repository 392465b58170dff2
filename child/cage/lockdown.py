"""The lockdown: every layer of the cage, in the one order that works.

`enter` applies all layers and reports each of them. The session calls it for each `initialize`, before any
source is accepted; the checker calls it once. `prepare` is the part that a fork(2) inherits (D29): a zygote
calls it once, and `enter` skips it in the zygote's children. A refused `initialize` may be sent again, so
`enter` can run more than once in one process. A second attempt can neither apply nor observe some layers that
hold already; they are in `_held`.

The order, and why its steps cannot change places:

1. `process.status` reads /proc, which later steps forbid. Its result is kept.
2. `reset_inherited_state` and `prefer_for_oom_kill` write files below /proc, which later steps forbid, too.
3. The namespaces of root need CAP_SYS_ADMIN, and the bounding set CAP_SETPCAP; `drop_root` takes both away.
4. `code.seal` reads /proc/self/maps. `refuse_new_code` follows, so that what was sealed stays so.
5. no_new_privs comes before Landlock and the filter: without it the kernel refuses both to ordinary users.
6. `close_other_descriptors` reads /proc/self/fd, so it comes before Landlock and RLIMIT_NOFILE.
7. `drop_root` needs CAP_SETUID and CAP_SETGID, so it comes before `drop_capabilities`. Where root could not
   unshare in step 3, it comes before a user namespace, too: no id is mapped there, so none could be set.
8. `drop_capabilities` comes after the user namespace, which grants them all.
9. `die_with` and `hide_memory` come after every gain of capabilities and change of ids: both reset the
   parent-death signal and the dumpable flag (prctl(2)).
10. Landlock creates a ruleset, which is a descriptor: before RLIMIT_NOFILE 0.
11. The resource limits come after all steps that open files.
12. seccomp is last. Its policy does not allow the calls above, so a step behind it would end the process.

Invariants, each with its test:

- In ``strict``, a layer of `STRICT_LAYERS` that is not applied is an error, never a downgrade
  (`tests/child/test_cage_levels.py::test_strict_names_what_is_missing_why_and_what_to_ask_for_instead`).
- The layers other than seccomp are required before the filter is installed. A host can so ask again with
  ``best_effort``; behind the filter the second attempt would die
  (`test_best_effort_after_a_refusal_tells_what_it_would_have_told_at_once`).
- What is reported as applied is enforced: each layer stops an attack that gets through without it
  (`tests/escape/test_layers.py::test_the_layer_stops_an_attack_that_gets_through_without_it`).
- The process has one thread, because a seccomp filter binds the calling thread only
  (`tests/child/test_cage_from_outside.py::test_the_child_is_one_thread_under_a_filter_that_gains_nothing`).
"""

from __future__ import annotations

import os
import struct
import sys

from flowcage.child.cage import code, landlock, namespaces, privileges, process, rlimits, seccomp
from flowcage.child.cage.architecture import current
from flowcage.child.cage.plan import Plan
from flowcage.child.cage.policy import policy
from flowcage.child.stdio import INCOMING, OUTGOING, STATUS
from flowcage.protocol.errors import ISOLATION_UNAVAILABLE, ErrorReply
from flowcage.protocol.layers import LAYERS, STRICT_LAYERS
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Isolation, Layer

_LINUX_ONLY = Layer(False, "Linux only")
_SOME_PID = 0x7FFFFFFF  # stands for the child's id in `_FILTER`; above every real one (proc(5), pid_max)
# Layers that hold already, by name: those of `prepare`, and those of an attempt that was refused.
_held: dict[str, Layer] = {}


def _assemble_filter() -> bytes:
    """The filter with `_SOME_PID` for the child's id; empty where this machine has none."""
    architecture = current()
    if architecture is None:
        return b""
    rules = policy(reads=INCOMING, writes=(1, 2, OUTGOING), status=STATUS, pid=_SOME_PID)
    return seccomp.assemble(rules, architecture)


# On import, so that a zygote assembles it once for all of its children.
_FILTER = _assemble_filter()


def prepare() -> None:
    """Apply the layers that a fork(2) inherits: a zygote does so once for all of its children.

    Afterwards the process can still open files and fork. A second call does nothing.
    """
    if "environment" in _held:  # the last that is set below
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
    """Report every layer as not applied: `enter` where isolation is ``none``."""
    return limits, dict.fromkeys(LAYERS, Layer(False, "isolation none was asked for"))


def enter(
    limits: Limits, isolation: Isolation | None, parent: int | None = None
) -> tuple[Limits, dict[str, Layer]]:
    """Close the cage around this process, before any untrusted source is accepted.

    Args:
        limits: the limits that `initialize` asked for.
        isolation: ``strict`` raises where one of `STRICT_LAYERS` cannot be applied. ``best_effort`` continues
            and reports it. ``none`` applies nothing. None is ``strict`` on Linux, else ``best_effort``.
        parent: id of the process whose end ends this one; None for no such process.

    Returns:
        The effective limits, and for each of `LAYERS` whether it holds and how, or why not.

    Raises:
        ErrorReply: ``isolation_unavailable``, with the missing layers in ``data.layers``.
    """
    level = isolation or ("strict" if sys.platform == "linux" else "best_effort")
    if level == "none":
        return apply_nothing(limits)
    status = process.status()
    prepare()
    layers = dict.fromkeys(LAYERS, _LINUX_ONLY) | _held
    process.enter_own_process_group()
    if sys.platform == "linux":
        _apply_linux(layers, status, parent)
    limits, resource_limits = rlimits.apply(limits, _mapped_bytes(status))
    layers |= resource_limits
    # A second attempt fails where the first one closed the way, as to /proc; the layer of the first holds.
    layers |= {name: held for name, held in _held.items() if not layers[name].applied}
    _held.update((name, layer) for name, layer in layers.items() if layer.applied)
    if level == "strict":
        _require(layers, set(STRICT_LAYERS) - {"seccomp"})
    if sys.platform == "linux":
        layers["seccomp"] = _filter_system_calls(int(status.get(b"Threads", 0)))
    if level == "strict":
        _require(layers, {"seccomp"})
    return limits, layers


def plan(limits: Limits, layers: dict[str, Layer], parent: int) -> Plan:
    """What `enter` comes to in a child that is forked from this process, after `prepare`.

    Args:
        limits, layers: what `enter` has returned in another such child.
        parent: id of the process whose end ends the child.

    Raises:
        ValueError: that child's cage is not the whole one.
    """
    architecture = current()
    if architecture is None:
        raise ValueError("there is no filter for this architecture")
    return Plan(limits, layers, _held, parent, _FILTER, _SOME_PID, architecture)


def _apply_linux(layers: dict[str, Layer], status: dict[bytes, bytes], parent: int | None) -> None:
    layers["descriptors"] = process.close_other_descriptors()
    layers["uid"] = privileges.drop_root(status)
    if not layers["namespaces"].applied:  # root in a container may lack CAP_SYS_ADMIN; a user needs none
        layers["namespaces"] = namespaces.enter_as_user()
    layers["capabilities"] = privileges.drop_capabilities()
    layers["parent_death"] = process.die_with(parent)
    layers["memory_access"] = process.hide_memory()
    layers["landlock"] = landlock.apply()


def _mapped_bytes(status: dict[bytes, bytes]) -> int:
    """Virtual memory of this process, in bytes; 256 MiB is assumed where there is no /proc."""
    return int(status.get(b"VmSize", 256 * 1024)) * 1024


def _filter_system_calls(threads: int) -> Layer:
    if threads != 1:
        return Layer(False, f"a filter binds one thread only, and this process has {threads or 'unknown'}")
    if not _FILTER:
        return Layer(False, "there is no filter for this architecture, only for x86_64 and aarch64")
    own_pid = struct.pack("=I", os.getpid())
    return seccomp.apply(_FILTER.replace(struct.pack("=I", _SOME_PID), own_pid))


def _require(layers: dict[str, Layer], names: set[str]) -> None:
    missing = sorted(name for name in names if not layers[name].applied)
    if missing:
        details = "; ".join(f"{name}: {layers[name].detail}" for name in missing)
        raise ErrorReply(
            ISOLATION_UNAVAILABLE,
            f"strict isolation is unavailable on this machine: {details}; "
            "pass isolation=best_effort (--cage best_effort) to run without these layers",
            {"layers": missing},
        )
