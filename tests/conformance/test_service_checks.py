"""The checks of hosts of the host protocol: flowcage's own passes; one that is broken in one way fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flowcage.conformance.check import Check
from flowcage.conformance.on_service import SERVICE_CHECKS
from flowcage.conformance.runner import run_checks
from flowcage.conformance.service.peer import ServicePeer
from flowcage.conformance.service.subject import ServiceSubject

from .broken.of_service import OF_SERVICE, SHARED

CHECKS = {check.id: check for check in SERVICE_CHECKS.checks}
BROKEN = {**SHARED, **OF_SERVICE}
ROOT = Path(__file__).parents[2]
FLOWCAGE = str(Path(sys.executable).parent / "flowcage")
ARGUMENTS = ("--cage", "none", "--store", "{store}")
OWN = (FLOWCAGE, "host", *ARGUMENTS)
OWN_PATIENCE = 200.0
# Seconds that a broken host may be silent. A good one that is slower counts as broken.
PATIENCE = 5.0
# One for each theme.
USUAL = {
    "service-framing/only-newline-ends-a-line",
    "service-json/nan",
    "service-json-rpc/ids-of-each-side",
    "service-initialize/pipelined",
    "service-runs/cancel",
    "service-agents/retried",
    "service-requests/child-workflow",
    "service-events/in-order",
    "service-store/resumed",
    "service-ending/eof-with-runs",
}


def broken_service(broken: str) -> tuple[str, ...]:
    environment = ("env", f"PYTHONPATH={ROOT}")
    return (*environment, sys.executable, "-m", "tests.conformance.broken.service", broken, *ARGUMENTS)


def deviation(check: Check[ServicePeer], command: tuple[str, ...], patience: float) -> str:
    (finding,) = run_checks([check], ServiceSubject(command, patience).attempt, 1)
    return finding.deviation or finding.left_out


def check_of(broken: str) -> str:
    return broken.partition(": ")[0]


def test_there_are_at_least_a_hundred_and_each_has_a_broken_service() -> None:
    assert len(CHECKS) >= 100
    assert {check_of(broken) for broken in BROKEN} == CHECKS.keys()
    assert CHECKS.keys() >= USUAL


@pytest.mark.parametrize(
    "check",
    [pytest.param(name, marks=[] if name in USUAL else pytest.mark.thorough) for name in CHECKS],
)
def test_flowcages_own_host_passes(check: str) -> None:
    assert deviation(CHECKS[check], OWN, OWN_PATIENCE) == ""


def test_a_host_without_a_store_passes_and_what_needs_one_is_left_out() -> None:
    store = [check for check in CHECKS.values() if check.id.startswith("service-store/")]
    findings = list(
        run_checks(store, ServiceSubject((FLOWCAGE, "host", "--no-store"), OWN_PATIENCE).attempt, 1)
    )
    assert [finding.check.id for finding in findings if finding.deviation] == []
    assert [finding.check.id for finding in findings if not finding.left_out] == ["service-store/none"]


@pytest.mark.thorough
@pytest.mark.parametrize("broken", BROKEN)
def test_a_host_that_is_broken_in_just_that_way_fails(broken: str) -> None:
    seen = deviation(CHECKS[check_of(broken)], broken_service(broken), PATIENCE)
    assert seen != ""
    assert "left out" not in seen
