"""The checks of children: flowcage's own passes them all; one that is broken in one way fails one."""

from __future__ import annotations

import shlex
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowcage.conformance.check import Check
from flowcage.conformance.on_child import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer
from flowcage.conformance.runner import run_checks
from flowcage.conformance.subject import ChildSubject

from ..child.child_process import COMMAND, DEADLINE_S
from ..e2e.command import KIT_DEADLINE, flowcage
from ..host.zygote import Forked
from .broken.mutants import MUTANTS, check_of
from .recording import Recording, broken_child

CHECKS = {check.id: check for check in CHILD_CHECKS.checks}
# Seconds that a broken child may be silent. A good one that is slower counts as broken.
PATIENCE = 5.0
# A fault that shows in nearly every conversation is tried on so many others.
MOST_OTHERS = 8


def deviation(check: Check[ChildPeer], command: tuple[str, ...], patience: float) -> str:
    (finding,) = run_checks([check], ChildSubject(command, patience).attempt, 1)
    return finding.deviation


def test_there_are_at_least_sixty_and_each_has_a_broken_child() -> None:
    assert len(CHECKS) >= 60
    assert CHECKS.keys() - MUTANTS.keys() == set()
    assert set(map(check_of, MUTANTS)) == CHECKS.keys()


def passes_forked(check: Check[ChildPeer]) -> None:
    program = Forked((), DEADLINE_S)
    try:
        check.run(ChildPeer(program))
    finally:
        program.end()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no zygote")
def test_flowcages_own_child_passes_when_it_is_forked() -> None:
    findings = run_checks(CHILD_CHECKS.checks, passes_forked, 1)
    told = {finding.check.id: finding.deviation or finding.left_out for finding in findings}
    assert {name: what for name, what in told.items() if what} == {}


@pytest.mark.thorough
def test_flowcages_own_child_passes() -> None:
    child = shlex.join(COMMAND)
    finished = flowcage("conformance", "--child", child, deadline=KIT_DEADLINE)
    assert finished.status == 0, finished.stdout
    assert finished.stdout.splitlines()[-1] == f"{len(CHECKS)} checks, {len(CHECKS)} passed, 0 failed"


@pytest.mark.thorough
@pytest.mark.parametrize("broken", MUTANTS)
def test_a_child_that_is_broken_in_just_that_way_fails(broken: str) -> None:
    assert deviation(CHECKS[check_of(broken)], broken_child(broken), PATIENCE) != ""


@pytest.mark.thorough
def test_a_broken_child_passes_every_other_check() -> None:
    """Only conversations in which the broken child would say anything else than a good one are tried."""
    with ThreadPoolExecutor(2) as pool:
        recordings = dict(zip(CHECKS, pool.map(Recording, CHECKS.values()), strict=True))
        pairs = [
            (broken, other)
            for broken, mutant in MUTANTS.items()
            for other in [
                name for name in CHECKS if name != check_of(broken) and recordings[name].is_touched_by(mutant)
            ][:MOST_OTHERS]
        ]
        seen = pool.map(lambda pair: deviation(CHECKS[pair[1]], broken_child(pair[0]), PATIENCE), pairs)
        failed = {pair: said for pair, said in zip(pairs, seen, strict=True) if said}
    assert pairs
    assert failed == {}
