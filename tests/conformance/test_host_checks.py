"""The checks of hosts: flowcage's own and a small one pass; one that is broken in one way fails one."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest

from flowcage.conformance.check import Check
from flowcage.conformance.fake_child import OLDER
from flowcage.conformance.hosts import HostSubject, Played
from flowcage.conformance.on_host import HOST_CHECKS
from flowcage.conformance.runner import run_checks
from flowcage.conformance.scenarios import SCENARIOS

CHECKS = {check.id: check for check in HOST_CHECKS.checks}
FLOWCAGE = str(Path(sys.executable).parent / "flowcage")
OWN_HOST = (FLOWCAGE, "run", "--quiet", "--isolation", "none", "--child-command", "{child}", "{workflow}")
# A host that hears nothing ends by its own clock; every other end comes by itself, however busy the machine.
HANGS = ("silent", "silent-initialize")
OWN_PATIENCE = 300.0
# One for each way in which a child may be unusual, fail, end or break the contract. What a host makes of the
# others is tested in tests/process and tests/escape without a command, and here thoroughly.
USUAL = {
    "good",
    "older:good",
    "byte-by-byte",
    "large",
    "unknown-members",
    "exception",
    "timeout",
    "other-version",
    "unknown-request",
    "dies-before-initialize",
    "dies-in-drain-line",
    "closes-stdout",
    "silent",
    "garbage",
    "endless-line",
    "same-id-twice",
    "more-and-a-result",
}
USUAL_OF_OLDER = {"exception", "unknown-request", "dies-in-drain-line", "same-id-twice"}
SMALL_HOST = (
    sys.executable,
    "-I",
    str(Path(__file__).parent / "broken" / "host.py"),
    "{child}",
    "{workflow}",
)
PATIENCE = 15.0
# What cannot be wrong alone: the id, and what else is wrong by that.
ALSO_FAIL = {
    "host-messages/initialize-first": {"host-messages/allowed-order"},  # only shutdown could come before
    "host-messages/resolves-all": {"host-replies/prints-the-result"},  # there is no result to print
}


def failing(
    command: tuple[str, ...], checks: list[Check[Played]], patience: float = PATIENCE
) -> dict[str, str]:
    findings = run_checks(checks, HostSubject(command, patience).attempt, 1)
    return {finding.check.id: finding.deviation for finding in findings if not finding.passed}


@cache
def by_scenario() -> dict[str, list[Check[Played]]]:
    return {name: [check for check in CHECKS.values() if check.needs == name] for name in SCENARIOS}


def test_there_are_at_least_twenty_and_every_scenario_is_judged() -> None:
    assert len(CHECKS) >= 20
    assert {check.needs for check in CHECKS.values()} == SCENARIOS.keys()
    assert SCENARIOS.keys() >= USUAL


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(name, marks=[] if name in USUAL else pytest.mark.thorough) for name in SCENARIOS],
)
def test_flowcages_own_host_passes(scenario: str) -> None:
    command = (*OWN_HOST, "--timeout", "2" if scenario in HANGS else "200")
    assert failing(command, by_scenario()[scenario], OWN_PATIENCE) == {}


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(name, marks=[] if name in USUAL_OF_OLDER else pytest.mark.thorough)
        for name in SCENARIOS
        if not name.startswith(OLDER)
    ],
)
def test_flowcages_own_host_passes_with_an_older_child(scenario: str) -> None:
    command = (*OWN_HOST, "--timeout", "2" if scenario in HANGS else "200")
    checks = [check._replace(needs=f"{OLDER}{scenario}") for check in by_scenario()[scenario]]
    assert failing(command, checks, OWN_PATIENCE) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(
    "command", [SMALL_HOST, (*SMALL_HOST, "polls"), (*SMALL_HOST, "runs")], ids=["small", "polls", "runs"]
)
def test_a_small_host_passes(command: tuple[str, ...], scenario: str) -> None:
    assert failing(command, by_scenario()[scenario]) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_host_that_is_broken_in_just_that_way_fails_and_nothing_else_is_wrong(check: Check[Played]) -> None:
    judged = by_scenario()[check.needs] + (by_scenario()["good"] if check.needs != "good" else [])
    failed = failing((*SMALL_HOST, check.id), judged)
    assert failed.keys() == {check.id} | ALSO_FAIL.get(check.id, set()), failed
