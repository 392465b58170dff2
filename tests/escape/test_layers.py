"""What each layer is for: an attack that it alone stops, once the layers before it are gone."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path
from typing import NamedTuple

import pytest

from flowcage.child.cage import code
from flowcage.protocol.layers import LAYERS, STRICT_LAYERS

from .attack import NO_ATTACK
from .attacker import Attacker
from .catalogue import ATTACKS
from .closing import PLANNED


class Proof(NamedTuple):
    """That a layer matters.

    Attributes:
        layer: under test.
        attack: stopped while the layer stands, successful once it is removed as well.
        behind: layers that stop the attack too, and are removed first.
    """

    layer: str
    attack: str
    behind: tuple[str, ...] = ()


_SECCOMP = ("seccomp",)
_PROOFS = [
    Proof("seccomp", "change a file's times"),
    Proof("seccomp", "become dumpable"),
    Proof("memory", "fill memory bit by bit"),
    Proof("memory", "reserve far too many addresses"),
    Proof("cpu", "burn more processor time than it was given"),
    Proof("files", "fill the disk through stderr"),
    Proof("files", "make a pipe", _SECCOMP),
    Proof("processes", "fork by clone", _SECCOMP),
    Proof("core", "lift its limit of core size", _SECCOMP),
    Proof("descriptors", "read a file that the host left open", _SECCOMP),
    Proof("capabilities", "give it its own name", ("seccomp", "uid")),
    Proof("kernel_memory", "make a timer", _SECCOMP),
    Proof("memory_access", "open its own memory", ("seccomp", "landlock", "files")),
    Proof("new_code", "turn data into code", _SECCOMP),
    Proof("sealed_code", "write over a callback and run it"),
    Proof("parent_death", "find that nothing ties it to its host", _SECCOMP),
    Proof("uid", "kill another process", ("seccomp", "landlock")),
    Proof("landlock", "unlink a file", _SECCOMP),
    Proof("namespaces", "look at the host's shared memory", _SECCOMP),
]


@pytest.mark.parametrize("proof", _PROOFS, ids=lambda proof: f"{proof.layer}: {proof.attack}")
def test_the_layer_stops_an_attack_that_gets_through_without_it(attacker: Attacker, proof: Proof) -> None:
    reason = _why_meaningless(attacker, proof)
    if reason:
        pytest.skip(reason)
    attack = ATTACKS[proof.attack]
    assert attacker.attempt(attack, proof.behind).stopped
    assert attacker.attempt(attack, [*proof.behind, proof.layer]).got_through


def test_without_its_forbidden_privileges_the_cage_refuses_to_close(attacker: Attacker) -> None:
    if attacker.way == "prepared":
        pytest.skip("a zygote's children inherit them")
    outcome = attacker.attempt(ATTACKS["ask who it is"], ["no_new_privs"])
    assert outcome.name == NO_ATTACK
    assert "strict isolation is unavailable on this machine: seccomp" in outcome.detail


def test_a_cleared_environment_leaves_no_secret_in_memory_and_a_kept_one_does(attacker: Attacker) -> None:
    attack = ATTACKS["find the host's environment in its memory"]
    assert attacker.attempt(attack).stopped
    if attacker.way == "prepared":
        return  # where the environment was kept, there is no plan
    with Attacker(keep_environment=True) as careless:
        assert careless.attempt(attack).name == NO_ATTACK, "strict isolation sees that it was kept"
        assert careless.attempt(attack, ["environment"]).got_through


def test_every_layer_has_its_proof() -> None:
    elsewhere = {"no_new_privs", "environment"}
    assert {proof.layer for proof in _PROOFS} | elsewhere == set(LAYERS)


def test_every_layer_that_must_hold_is_applied(attacker: Attacker) -> None:
    assert set(STRICT_LAYERS) <= attacker.applied()


def _why_meaningless(attacker: Attacker, proof: Proof) -> str | None:
    """Why this machine or user cannot show it; None if it can."""
    root = os.geteuid() == 0
    if attacker.way == "prepared" and proof.layer not in PLANNED:
        return "a zygote's children inherit it, or do not live without it"
    if proof.layer not in attacker.applied():
        return f"this machine does not give {proof.layer}"
    if proof.layer == "core" and resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        return "this machine has no core dumps to allow"
    if proof.layer == "capabilities" and not root and "namespaces" not in attacker.applied():
        return "an ordinary user has no capabilities outside a namespace of its own"
    if proof.layer == "memory_access" and root:
        return "who changes the user id is not dumpable anyway"
    if proof.layer == "sealed_code" and not _callbacks_can_be_written_to():
        return "libffi keeps the code of callbacks in memory that nobody can write to"
    return None


def _callbacks_can_be_written_to() -> bool:
    """Whether they can where no cage was closed, as in this process."""
    callback = ctypes.CFUNCTYPE(None)(lambda: None)
    address = ctypes.cast(callback, ctypes.c_void_p).value
    assert address is not None
    return bool(code.changes(Path("/proc/self/maps").read_bytes(), address))
