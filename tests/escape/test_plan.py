"""A plan on both architectures: the same calls, by the numbers that the kernel's headers have for them."""

from __future__ import annotations

import sys

import pytest

from flowcage.child.cage import privileges
from flowcage.child.cage.architecture import AARCH64, X86_64, Architecture
from flowcage.child.cage.plan import OWN_USER, Plan
from flowcage.child.cage.seccomp import assemble
from flowcage.protocol.layers import LAYERS
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Layer

from . import bpf
from .filter_rules import BEFORE_THE_FILTER, PID, rules_for
from .test_system_call_numbers import aarch64, x86_64

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the cage is Linux's")

_LIMITS = Limits(address_space_bytes=1 << 30)
_ALL = dict.fromkeys(LAYERS, Layer(True, "")) | {"uid": Layer(True, privileges.OWN_USER)}
_PARENT = 4321


def plan(architecture: Architecture, layers: dict[str, Layer] = _ALL, inherited: bool = False) -> Plan:
    """The plan of root's children, with every call that a plan may have."""
    code = assemble(rules_for(PID), architecture)
    before = {"namespaces": Layer(inherited, "")}
    return Plan(_LIMITS, layers, before, _PARENT, code, PID, architecture)


@pytest.mark.parametrize("architecture", [X86_64, AARCH64], ids=["x86_64", "aarch64"])
def test_each_call_has_the_number_that_the_kernel_gives_it(architecture: Architecture) -> None:
    known = x86_64() if architecture is X86_64 else aarch64()
    names = {number: name for name, number in known.items()}
    assembled = plan(architecture)
    assert [names[number] for number, *_ in assembled._numbered] == [call.name for call in assembled.calls]


def test_both_architectures_make_the_same_calls() -> None:
    one, other = plan(X86_64), plan(AARCH64)
    assert [call.name for call in one.calls] == [call.name for call in other.calls]
    assert [call.expected for call in one.calls] == [call.expected for call in other.calls]
    # All but where things lie in memory.
    for first, second in zip(one.calls, other.calls, strict=True):
        pairs = zip(first.arguments, second.arguments, strict=True)
        assert all(left == right or min(left, right) > 1 << 20 for left, right in pairs), first


def test_no_call_of_a_plan_is_one_of_the_work_behind_the_filter() -> None:
    assert {call.name for call in plan(X86_64).calls} <= BEFORE_THE_FILTER | {"openat"}


def test_the_child_fills_its_id_in_where_the_filter_has_one() -> None:
    assembled = plan(AARCH64)
    assert len(assembled._own_pid) == 2
    for operand in assembled._own_pid:
        operand.value = 77
    with_77 = bpf.decode(assemble(rules_for(77), AARCH64))
    assert bpf.decode(assembled._filter._code.raw) == with_77


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("uid", {"setgroups", "setresgid", "setresuid"}),
        ("namespaces", {"unshare"}),
        ("landlock", {"landlock_create_ruleset", "landlock_restrict_self", "close"}),
    ],
)
def test_what_is_optional_and_missing_is_left_out_and_nothing_else(name: str, left_out: set[str]) -> None:
    whole, smaller = plan(X86_64), plan(X86_64, _ALL | {name: Layer(False, "")})
    kept = [call.name for call in whole.calls if call.name not in left_out]
    assert [call.name for call in smaller.calls] == kept


def test_namespaces_that_are_inherited_are_not_made_anew() -> None:
    assert "unshare" not in [call.name for call in plan(X86_64, inherited=True).calls]


def test_a_user_that_all_share_is_as_it_was_told() -> None:
    calls = plan(X86_64, _ALL | {"uid": Layer(True, "uid 65534, as others")}).calls
    ids = {call.arguments for call in calls if call.name in ("setresgid", "setresuid")}
    assert ids == {(65534, 65534, 65534)} != {OWN_USER}


@pytest.mark.parametrize("name", sorted(set(LAYERS) - {"uid", "namespaces", "landlock", "new_code"}))
def test_without_a_layer_that_is_required_there_is_no_plan(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        plan(X86_64, _ALL | {name: Layer(False, "")})
