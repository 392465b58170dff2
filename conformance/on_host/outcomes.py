"""Runs that fail as the contract allows: the host must report a failure."""

from __future__ import annotations

from flowcage.conformance.check import Deviation, expect
from flowcage.conformance.fake_child import UNKNOWN_TYPE
from flowcage.conformance.hosts import Played
from flowcage.conformance.on_host.registry import HOST_CHECKS

check = HOST_CHECKS.theme("host-outcomes", "protocol.md: When a run fails")


def fails(played: Played) -> None:
    """The host must end in time with another status than 0, and its child must have ended."""
    if played.status is None or played.status == 0:
        raise Deviation(f"the host should have ended with another status than 0; {played.how_ended}")
    expect("the child has left", played.child_ended, True)


def fails_before_source(played: Played) -> None:
    """The host must fail, and must not have sent source."""
    fails(played)
    expect("source was sent", bool(played.began), False)


# By the scenario of the same name.
FAILURES = {
    "stalled": "A stalled run is an error at once; the host does not wait for ever.",
    "more": "After more: true the next message tells the failure.",
    "exception": "A run that failed with exception is a failure.",
    "timeout": "A run that failed with timeout is a failure.",
    "internal": "An error of the child's own is a failure.",
    "unknown-kind": "An error of an unknown kind is a failure too.",
    "syntax": "A start that was refused is a failure.",
}
BEFORE_START = {
    "isolation-unavailable": "isolation_unavailable ends the run before any source is sent.",
    "protocol-version": "protocol_version ends the run before any source is sent.",
    "other-version": "A child that answers with another version gets no source.",
}

for _scenario, _says in FAILURES.items():
    check.must(_says, _scenario, id=_scenario)(fails)
for _scenario, _says in BEFORE_START.items():
    check.must(_says, _scenario, id=_scenario)(fails_before_source)


@check.must("A call of an unknown type is surfaced: told, or an error.", "unknown-call")
def unknown_call(played: Played) -> None:
    reports_unknown_type(played)


@check.must("A request of an unknown type is surfaced: told, or an error.", "unknown-request")
def unknown_request(played: Played) -> None:
    reports_unknown_type(played)


def reports_unknown_type(played: Played) -> None:
    """The host must fail, or name the unknown type in its output."""
    told = UNKNOWN_TYPE in played.stdout + played.stderr
    if played.status is None or (played.status == 0 and not told):
        raise Deviation(f"the host dropped {UNKNOWN_TYPE} in silence; {played.how_ended}")
