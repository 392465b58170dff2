"""Replies that are unusual, and right: the run must complete."""

from __future__ import annotations

from flowcage.conformance.check import Deviation, expect
from flowcage.conformance.fake_child import RESULT
from flowcage.conformance.hosts import Played
from flowcage.conformance.on_host.registry import HOST_CHECKS

check = HOST_CHECKS.theme("host-replies", "protocol.md: Framing")


def completes(played: Played) -> None:
    """The host ends with status 0."""
    if played.status != 0:
        raise Deviation(f"the run should have completed with exit status 0; {played.how_ended}")


@check.must("completes", "A run that completes ends with exit status 0.", "good")
def _(played: Played) -> None:
    completes(played)


@check.should("prints-the-result", "The result stands somewhere in what the host prints.", "good")
def _(played: Played) -> None:
    expect("the result is on stdout", RESULT in played.stdout, True)


@check.must("child-has-left", "When the host has ended, its child has too.", "good")
def _(played: Played) -> None:
    expect("the child has left", played.child_left, True)


@check.must("byte-by-byte", "A reply may arrive in any number of pieces.", "byte-by-byte")
def _(played: Played) -> None:
    completes(played)


@check.must("slow", "A reply may take a while.", "slow")
def _(played: Played) -> None:
    completes(played)


@check.must(
    "noise-on-stderr",
    "stderr is read, or goes nowhere: a child that says much there is not held up.",
    "noise",
)
def _(played: Played) -> None:
    completes(played)


@check.must("unknown-members", "Unknown members of replies are ignored.", "unknown-members")
def _(played: Played) -> None:
    completes(played)


@check.must("line-separators", "Only \\n ends a line: U+2028, U+2029 and U+0085 are content.", "separators")
def _(played: Played) -> None:
    completes(played)


@check.must("large", "A reply may be as long as maxMessageBytes.", "large")
def _(played: Played) -> None:
    completes(played)


@check.must("diagnostics", "A diagnostic of an unknown kind is no error.", "diagnostics")
def _(played: Played) -> None:
    completes(played)
