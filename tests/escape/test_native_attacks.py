"""Hostile JavaScript has won native code execution in the child: it still reaches nothing."""

from __future__ import annotations

import pytest

from flowcage.protocol.layers import LAYERS, OPTIONAL_LAYERS

from .attack import Attack
from .attacker import Attacker
from .catalogue import ATTACKS, FAMILIES

_ENOUGH = 150
# Three seconds of a processor are tried once, not for every layer.
_QUICK = [attack for attack in ATTACKS.values() if attack.possible and attack.stopped_by != ("SIGXCPU",)]
# Not those that the processor and the kernel stop by themselves, that would do harm, or that need another
# host (test_layers).
_STOPPED_BY_THE_CAGE = [
    family
    for family in FAMILIES
    if family not in ("memory errors", "call numbers", "the whole machine", "the host's secrets")
]
# The user id and the capabilities stay dropped: root must not try these on the machine itself.
_NEARLY_ALL = [name for name in LAYERS if name not in ("uid", "capabilities", "namespaces")]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
def test_with_the_full_cage_the_attack_ends_as_the_policy_says(attacker: Attacker, attack: Attack) -> None:
    if not attack.possible:
        pytest.skip("this architecture has no such call")
    outcome = attacker.attempt(attack)
    assert outcome.name in attack.stopped_by, outcome


@pytest.mark.thorough
@pytest.mark.parametrize("layer", OPTIONAL_LAYERS)
def test_without_an_optional_layer_nothing_gets_through_either(attacker: Attacker, layer: str) -> None:
    tried = [attack for attack in _QUICK if not attack.caged_only]
    assert [attack.name for attack in tried if not attacker.attempt(attack, [layer]).stopped] == []


@pytest.mark.parametrize("family", _STOPPED_BY_THE_CAGE)
def test_attacks_are_real_something_gets_through_where_no_layer_stands(
    attacker: Attacker, family: str
) -> None:
    tried = [attack for attack in _QUICK if attack.family == family and not attack.caged_only]
    assert any(attacker.attempt(attack, _NEARLY_ALL).got_through for attack in tried)


def test_at_least_150_attacks_are_tried() -> None:
    assert sum(attack.possible for attack in ATTACKS.values()) >= _ENOUGH
