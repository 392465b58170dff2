"""A drain with requests of types that this version does not have: they are told apart, and only they."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.protocol import decode
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import AgentRequest, UnknownRequest
from flowcage.schemas import validate

AGENT = {"type": "agent", "id": "2", "prompt": "p"}
FETCH = {"type": "fetch", "id": "1", "url": "x"}


def drain(*requests: Any) -> dict[str, Any]:
    return {"calls": [], "requests": list(requests), "state": "pending"}


def test_they_come_behind_those_that_are_known() -> None:
    given = drain(FETCH, AGENT, {"type": "", "id": "3"})
    decoded = decode.result("drain", given)
    assert decoded.requests == [AgentRequest("2", "p"), UnknownRequest("1", "fetch"), UnknownRequest("3", "")]
    assert given == drain(FETCH, AGENT, {"type": "", "id": "3"}), "what came is left as it is"


def test_the_published_schema_does_not_have_them() -> None:
    violation = validate.result_error("drain", drain(FETCH))
    assert violation is not None
    assert violation.path == "/requests/0/type"
    assert violation.message.endswith("not 'fetch'")


@pytest.mark.parametrize(
    "request_",
    [
        None,
        "fetch",
        {"id": "1"},
        {"type": "fetch"},
        {"type": "fetch", "id": ""},
        {"type": "fetch", "id": 1},
        {"type": 1, "id": "1"},
        {"type": ["agent"], "id": "1"},
        {"type": "agent", "id": "1"},
    ],
)
def test_what_cannot_be_answered_is_refused_as_ever(request_: Any) -> None:
    with pytest.raises(ErrorReply, match="/requests/0"):
        decode.result("drain", drain(request_, FETCH))


@pytest.mark.parametrize("value", [None, [], {}, {"requests": None}, {"requests": FETCH}])
def test_a_drain_that_is_none_is_refused_as_ever(value: Any) -> None:
    with pytest.raises(ErrorReply):
        decode.result("drain", value)
