"""Children that end, hang or break the contract: the host must fail in time and leave no process."""

from __future__ import annotations

from flowcage.conformance.hosts import Played
from flowcage.conformance.on_host.outcomes import fails
from flowcage.conformance.on_host.registry import HOST_CHECKS

check = HOST_CHECKS.theme("host-faults", "protocol.md: Security")

# By the scenario of the same name: what the fake child does, and what that means.
FAULTS = {
    "dies-before-initialize": "A child killed before it answers initialize ends the run.",
    "dies-after-initialize": "A child that exits after initialize ends the run.",
    "dies-in-line": "A child that exits in the middle of a line ends the run, also with status 0.",
    "dies-before-start": "A child killed while it compiles ends the run.",
    "dies-after-start": "A child that exits after start ends the run.",
    "dies-in-drain": "A child killed while JavaScript runs ends the run.",
    "dies-in-drain-line": "A child that exits in the middle of what it drained ends the run.",
    "dies-after-drain": "A child that exits while the host works on its requests ends the run.",
    "dies-in-resolve": "A child killed at a resolve ends the run.",
    "closes-stdout": "A child that closes stdout and lives on is ended.",
    "silent": "A child that never answers is ended.",
    "silent-initialize": "A child that never answers initialize is ended.",
    "garbage": "A line that is no JSON ends the run, and the child.",
    "print": "A line of somebody's print ends the run, and the child.",
    "invalid-utf-8": "A line that is no UTF-8 ends the run, and the child.",
    "batch": "A batch of replies ends the run, and the child.",
    "wrong-id": "A reply to what was never asked ends the run, and the child.",
    "id-null": "An error with id null, so to a line that was not read, ends the run, and the child.",
    "result-and-error": "A reply with both result and error ends the run, and the child.",
    "wrong-shape": "A result that does not fit its schema ends the run, and the child.",
    "endless-line": "A line over maxMessageBytes that never ends ends the run, and the child.",
    "deep": "A reply nested beyond reason ends the run, and the child.",
    "same-id-twice": "A request whose id was handed out before ends the run, and the child.",
    "settled-id": "A request whose id was handed out and settled before ends the run, and the child.",
    "longer-messages": "A child that takes a longer maxMessageBytes than it was asked for is ended.",
    "answers-twice": "A reply that answers nothing ends the run, and the child.",
}


for _scenario, _says in FAULTS.items():
    check.must(_says, _scenario, id=_scenario)(fails)


@check.should(
    "A run that waits while nothing is outstanding, and is not stalled, is ended.", "waits-for-nothing"
)
def waits_for_nothing(played: Played) -> None:
    fails(played)


@check.should("A run that goes on after more: true is ended: the failure must follow.", "more-and-a-result")
def more_and_a_result(played: Played) -> None:
    if any(map(played.sent, ("drain", "run", "advance"))):  # no other message has it
        fails(played)
