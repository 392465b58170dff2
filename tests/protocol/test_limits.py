"""The table of limits: everything else follows from it."""

from __future__ import annotations

import pytest

from flowcage.host.run.limits import NAMES
from flowcage.protocol import decode, encode
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.limits import NO_LIMITS, REQUIRED_WIRE_NAMES, TABLE, WIRE_NAMES, Limits, lowered
from flowcage.protocol.messages import Run
from flowcage.schemas.loader import document

DEFINITIONS = document("common")["$defs"]
# What 1.0 was published with. A name more here breaks every child that is older than it.
OF_1_0 = {
    "memoryBytes",
    "stackBytes",
    "stepTimeoutMs",
    "cpuSeconds",
    "maxSleepMs",
    "maxMessageBytes",
    "maxPendingRequests",
    "maxQueuedBytes",
}


def answer(limits: dict[str, int]) -> dict[str, object]:
    """What a child says to `initialize`, with these effective limits."""
    return {**document("initialize.result")["examples"][0], "limits": limits}


def test_every_limit_is_in_the_table() -> None:
    assert tuple(TABLE) == Limits._fields


def test_a_child_must_report_the_limits_of_1_0_and_no_others() -> None:
    assert set(REQUIRED_WIRE_NAMES) == OF_1_0
    assert set(DEFINITIONS["effectiveLimits"]["required"]) == OF_1_0


def test_schemas_and_command_line_have_the_names_of_the_table() -> None:
    assert list(DEFINITIONS["limits"]["properties"]) == list(WIRE_NAMES.values())
    assert NAMES[: len(WIRE_NAMES)] == tuple(WIRE_NAMES.values())


def test_a_limit_that_a_child_does_not_report_holds_nothing() -> None:
    reported = dict.fromkeys(OF_1_0, 7)
    limits = decode.initialized(answer(reported)).limits
    assert limits.to_wire() == reported
    assert limits.address_space_bytes == 0


@pytest.mark.parametrize("name", sorted(OF_1_0))
def test_a_limit_of_1_0_that_is_not_reported_is_refused(name: str) -> None:
    reported = dict.fromkeys(OF_1_0 - {name}, 7)
    with pytest.raises(ErrorReply, match=f"/limits: member '{name}' is required"):
        decode.initialized(answer(reported))


def test_a_run_gets_the_lower_of_two_limits_and_0_asks_for_none() -> None:
    held = Limits(cpu_seconds=10, memory_bytes=1000)
    asked = NO_LIMITS._replace(cpu_seconds=11, memory_bytes=999, max_sleep_ms=1)
    assert lowered(held, asked) == held._replace(memory_bytes=999, max_sleep_ms=1)
    assert lowered(held, NO_LIMITS) == held


def test_what_no_run_can_lower_is_not_read() -> None:
    given = {"source": "", "limits": {"maxMessageBytes": "x", "addressSpaceBytes": -1, "cpuSeconds": 5}}
    assert decode.message("run", given) == Run("", limits=NO_LIMITS._replace(cpu_seconds=5))
    assert encode.params(Run("", limits=NO_LIMITS)) == {"source": ""}


def test_a_limit_that_nobody_here_knows_is_ignored_in_both_directions() -> None:
    initialize = decode.message("initialize", {"protocolVersion": "1.0", "limits": {"maxFrames": "many"}})
    assert initialize == decode.message("initialize", {"protocolVersion": "1.0"})
    reported = dict.fromkeys(OF_1_0, 7)
    assert decode.initialized(answer(reported | {"maxFrames": 7})) == decode.initialized(answer(reported))
