"""The checks of clients: a small one passes; one that is broken in one way fails one."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest

from flowcage.conformance.check import Check
from flowcage.conformance.hosts import HostSubject, Played
from flowcage.conformance.on_client import CLIENT_CHECKS, FAKE_HOST
from flowcage.conformance.on_client.scenarios import SCENARIOS
from flowcage.conformance.runner import run_checks

CHECKS = {check.id: check for check in CLIENT_CHECKS.checks}
CLIENT = str(Path(__file__).parent / "broken" / "client.py")
SMALL_CLIENT = (sys.executable, "-I", CLIENT, "{host}", "{workflow}")
PATIENCE = 60.0
# One for each way in which a host may be unusual, fail, end or break the contract.
USUAL = {
    "good",
    "at-once",
    "same-ids",
    "unknown-request",
    "failed",
    "other-version",
    "dies-in-line",
    "garbage",
}
# What cannot be wrong alone.
ALSO_FAIL = {
    "client-outcomes/host-has-ended": {"client-messages/leaves"},  # what was not ended was not left either
}


def failing(command: tuple[str, ...], checks: list[Check[Played]]) -> dict[str, str]:
    findings = run_checks(checks, HostSubject(command, PATIENCE, FAKE_HOST).attempt, 1)
    return {finding.check.id: finding.deviation for finding in findings if not finding.passed}


@cache
def by_scenario() -> dict[str, list[Check[Played]]]:
    return {name: [check for check in CHECKS.values() if check.needs == name] for name in SCENARIOS}


def test_there_are_at_least_forty_and_every_scenario_is_judged() -> None:
    assert len(CHECKS) >= 40
    assert {check.needs for check in CHECKS.values()} == SCENARIOS.keys()
    assert SCENARIOS.keys() >= USUAL


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(name, marks=[] if name in USUAL else pytest.mark.thorough) for name in SCENARIOS],
)
def test_a_small_client_passes(scenario: str) -> None:
    assert failing(SMALL_CLIENT, by_scenario()[scenario]) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_client_that_is_broken_in_just_that_way_fails_and_nothing_else_is_wrong(
    check: Check[Played],
) -> None:
    is_alone = check.needs == "good" or check.id == "client-outcomes/slow"  # a busy machine is slow, too
    judged = by_scenario()[check.needs] + ([] if is_alone else by_scenario()["good"])
    failed = failing((*SMALL_CLIENT, check.id), judged)
    assert failed.keys() == {check.id} | ALSO_FAIL.get(check.id, set()), failed
