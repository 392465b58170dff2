"""How a client ends: with runs that complete, runs that fail, and hosts that break the contract."""

from __future__ import annotations

from flowcage.conformance.check import Deviation, expect
from flowcage.conformance.fake_child import RESULT
from flowcage.conformance.hosts import Played
from flowcage.conformance.on_client.registry import CLIENT_CHECKS
from flowcage.conformance.on_client.scenarios import FAILED

check = CLIENT_CHECKS.theme("client-outcomes", "host-protocol.md: A run")


def completes(played: Played) -> None:
    """The client must end with status 0."""
    if played.status != 0:
        raise Deviation(f"the run should have completed with exit status 0; {played.how_ended}")


def fails(played: Played) -> None:
    """The client must end in time with another status than 0, and its host must have ended."""
    if played.status is None or played.status == 0:
        raise Deviation(f"the client should have ended with another status than 0; {played.how_ended}")
    expect("the host has ended", played.child_ended, True)


@check.must("A run that completes ends with exit status 0.", "good", id="completes")
def run_completes(played: Played) -> None:
    completes(played)


@check.should("The result stands somewhere in what the client prints.", "good")
def prints_the_result(played: Played) -> None:
    expect("the result is on stdout", RESULT in played.stdout, True)


@check.must("When the client has ended, its host has too.", "good")
def host_has_ended(played: Played) -> None:
    expect("the host has ended", played.child_ended, True)


# By the scenario of the same name.
UNUSUAL = {
    "byte-by-byte": "A message may arrive in any number of pieces.",
    "noise": "stderr is read, or goes nowhere: a host that says much there is not held up.",
    "slow": "An answer may take a while.",
    "unknown-members": "Unknown members are ignored at any depth.",
    "separators": "Only \\n ends a line: U+2028, U+2029 and U+0085 are content.",
    "large": "A message may be as long as maxMessageBytes.",
    "same-ids": "Each side has ids of its own: the host may ask by the id of a request that waits.",
    "cancelled": "request.cancelled is no error, answered or not: the run goes on.",
    "unknown-notification": "A notification of an unknown method is ignored.",
}
ENDED = {
    "failed": "A run that failed is a failure.",
    "cancelled-run": "A run that was cancelled is a failure.",
    "timeout": "A run over its time is a failure.",
    "unknown-verdict": "A verdict that the client does not know is a failure.",
    "overloaded": "A run.start that was refused is a failure.",
    "unknown-kind": "An error of an unknown kind is a failure, too.",
}

for _scenario, _says in UNUSUAL.items():
    check.must(_says, _scenario, id=_scenario)(completes)
for _scenario, _says in ENDED.items():
    check.must(_says, _scenario, id=_scenario)(fails)


@check.should("The message of a run that failed stands somewhere in what the client prints.", "failed")
def prints_the_message(played: Played) -> None:
    expect("the message is told", FAILED in played.stdout + played.stderr, True)


def fails_before_source(played: Played) -> None:
    """The client must fail, and must not have started a run."""
    fails(played)
    expect("a run was started", bool(played.sent("run.start")), False)


check.must(
    "protocol_version is a failure, and no run is started.", "protocol-version", id="protocol-version"
)(fails_before_source)
check.must("A host that answers with another version gets no run.", "other-version", id="other-version")(
    fails_before_source
)

check = CLIENT_CHECKS.theme("client-faults", "host-protocol.md: The connection")

FAULTS = {
    "dies-before-initialize": "A host that is killed before it answers initialize is a failure.",
    "dies-after-initialize": "A host that exits after initialize is a failure.",
    "dies-in-line": "A host that exits in the middle of a line is a failure, also with status 0.",
    "dies-before-start": "A host that is killed before it answers run.start is a failure.",
    "dies-after-start": "A host that exits after run.start is a failure.",
    "dies-before-asking": "A host that is killed in a run is a failure.",
    "dies-after-asking": "A host that exits while the client answers is a failure.",
    "dies-before-outcome": "A host that is killed before the outcome is a failure.",
    "dies-in-outcome": "A host that exits in the middle of the outcome is a failure.",
    "closes-stdout": "A host that closes stdout and lives on is ended.",
    "garbage": "A line that is no JSON is a failure, and the host is ended.",
    "print": "A line of somebody's print is a failure, and the host is ended.",
    "invalid-utf-8": "A line that is no UTF-8 is a failure, and the host is ended.",
    "batch": "A batch is a failure, and the host is ended.",
    "deep": "A line nested beyond reason is a failure, and the host is ended.",
    "endless-line": "A line over maxMessageBytes that never ends is a failure, and the host is ended.",
    "id-null": "An error with id null, so to a line that was not read, is a failure, and the host is ended.",
    "result-and-error": "An answer with both result and error is a failure, and the host is ended.",
    "neither-result-nor-error": "An answer with neither is a failure, and the host is ended.",
    "wrong-shape": "A result of another shape than its schema's is a failure, and the host is ended.",
}

for _scenario, _says in FAULTS.items():
    check.must(_says, _scenario, id=_scenario)(fails)
