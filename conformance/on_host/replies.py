"""Replies that are unusual and correct: the run must complete."""

from __future__ import annotations

from flowcage.conformance.check import Deviation, expect
from flowcage.conformance.fake_child import RESULT
from flowcage.conformance.hosts import OLDER_CHILD, Played
from flowcage.conformance.on_host.registry import HOST_CHECKS

check = HOST_CHECKS.theme("host-replies", "protocol.md: Framing")


@check.must("A run that completes ends with exit status 0.", "good")
def completes(played: Played) -> None:
    if played.status != 0:
        raise Deviation(f"the run should have completed with exit status 0; {played.how_ended}")


@check.should("The result stands somewhere in what the host prints.", "good")
def prints_the_result(played: Played) -> None:
    expect("the result is on stdout", RESULT in played.stdout, True)


@check.must("When the host has ended, its child has too.", "good")
def child_has_left(played: Played) -> None:
    expect("the child has left", played.child_ended, True)


@check.should("A run completes with a child that has neither run nor advance.", OLDER_CHILD)
def older_child(played: Played) -> None:
    completes(played)


# By id: the scenario, and what it means.
UNUSUAL = {
    "byte-by-byte": ("byte-by-byte", "A reply may arrive in any number of pieces."),
    "slow": ("slow", "A reply may take a while."),
    "noise-on-stderr": (
        "noise",
        "stderr is read, or goes nowhere: a child that says much there is not held up.",
    ),
    "unknown-members": ("unknown-members", "Unknown members of replies are ignored."),
    "line-separators": ("separators", "Only \\n ends a line: U+2028, U+2029 and U+0085 are content."),
    "large": ("large", "A reply may be as long as maxMessageBytes."),
    "diagnostics": ("diagnostics", "A diagnostic of an unknown kind is no error."),
}

for _id, (_scenario, _says) in UNUSUAL.items():
    check.must(_says, _scenario, id=_id)(completes)
