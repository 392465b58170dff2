"""What a child may answer in which state, as the table has it; no reply at all is a fault of the host's."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from flowcage.host import (
    IsolationUnavailable,
    ProtocolViolation,
    RunError,
    RunRefused,
    Verdict,
    WorkflowFailed,
)
from flowcage.host.process.replies import Replies
from flowcage.protocol.envelope import Failure, Result
from flowcage.protocol.errors import CODES, RUN_FAILURES
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import (
    Advance,
    Check,
    Drain,
    Initialize,
    Message,
    OkUndefined,
    Resolve,
    Run,
    Start,
)

MESSAGES: dict[str, Message] = {
    "initialize": Initialize("1.0", None, Limits(), None),
    "check": Check("export default 1"),
    "start": Start("export default 1"),
    "run": Run("export default 1"),
    "drain": Drain(),
    "resolve": Resolve("1", OkUndefined()),
    "advance": Advance(((Resolve("1", OkUndefined()),),)),
}
ASKS = {"requests": [{"type": "agent", "id": "1", "prompt": "p"}]}
COMPLETE = {"state": "complete", "output": {"result": 1}}
SAYS: dict[str, dict[str, Any]] = {
    "complete": COMPLETE,
    "pending": {},
    "stalled": {"stalled": True},
    "more": {"more": True},
    "complete and stalled": {**COMPLETE, "stalled": True},
    "complete and more": {**COMPLETE, "more": True},
    "stalled and more": {"stalled": True, "more": True},
}
# By the state of the run: what a drain may say of it.
MAY_SAY = {
    "nothing outstanding": {"complete", "stalled", "more"},
    "a request outstanding": {"complete", "pending", "more"},
    "a request in this reply": {"complete", "pending", "more"},
    "a request settled": {"complete", "stalled", "more"},
    "a request that is settled by this message": {"complete", "stalled", "more"},
    "after more": set(),
    "after more, a request outstanding": set(),
}
# By method: the kinds of error that may answer it, and what they become.
MAY_FAIL: dict[str, dict[str, type[RunError]]] = {
    "initialize": {
        **dict.fromkeys(CODES.keys() - RUN_FAILURES - {"unknown_request", "parse_error"}, RunRefused),
        "isolation_unavailable": IsolationUnavailable,
    },
    "check": {**dict.fromkeys(RUN_FAILURES, WorkflowFailed), "method_not_found": RunRefused},
    "start": dict.fromkeys(RUN_FAILURES, WorkflowFailed),
    "run": dict.fromkeys(RUN_FAILURES, WorkflowFailed),
    "drain": dict.fromkeys(RUN_FAILURES, WorkflowFailed),
    "resolve": {"memory": WorkflowFailed},
    "advance": dict.fromkeys(RUN_FAILURES, WorkflowFailed),
}
# What the schemas want beside the kind.
DATA: dict[str, dict[str, Any]] = {
    "invalid_params": {"path": "", "message": "m", "schema": "s"},
    "unknown_request": {"id": "1"},
    "invalid_state": {"state": "ready"},
    "isolation_unavailable": {"layers": ["cpu"]},
    "protocol_version": {"supported": ["1.0"]},
}


def said(replies: Replies, method: str, result: object) -> object:
    replies.expect(MESSAGES[method])
    return replies.take(Result(1, result))


def failed(replies: Replies, method: str, kind: str) -> RunError:
    replies.expect(MESSAGES[method])
    failure = {"name": "Error", "message": "m", "stack": ""} if kind in RUN_FAILURES else DATA.get(kind, {})
    with pytest.raises(RunError) as caught:
        replies.take(Failure(1, CODES[kind], "told", {"kind": kind, **failure}))
    return caught.value


def drained(**members: Any) -> dict[str, Any]:
    return {"calls": [], "requests": [], "state": "pending", **members}


def in_state(state: str) -> Replies:
    replies = Replies()
    more = {"more": True} if state.startswith("after more") else {}
    if state.endswith(("a request outstanding", "settled", "by this message")):
        said(replies, "drain", drained(**ASKS, **more))
    elif more:
        said(replies, "drain", drained(**more))
    if state.endswith("settled"):
        said(replies, "resolve", {})
    return replies


@pytest.mark.parametrize(("state", "says"), [*product(MAY_SAY, SAYS)])
def test_a_drain_says_what_can_be_true_in_this_state(state: str, says: str) -> None:
    replies = in_state(state)
    result = drained(**SAYS[says], **(ASKS if state == "a request in this reply" else {}))
    method = "advance" if state.endswith("by this message") else "drain"
    if says in MAY_SAY[state]:
        said(replies, method, result)
        return
    with pytest.raises(ProtocolViolation):
        said(replies, method, result)


@pytest.mark.parametrize(("method", "kind"), [*product(MESSAGES, CODES)])
def test_an_error_is_one_that_this_message_can_have(method: str, kind: str) -> None:
    error = failed(Replies() if method == "initialize" else in_state("a request outstanding"), method, kind)
    assert type(error) is MAY_FAIL[method].get(kind, ProtocolViolation)
    assert error.verdict is not Verdict.HOST_FAULT
    assert kind in str(error) or "told" in str(error)


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("state", MAY_SAY)
def test_a_drain_may_fail_in_every_state_and_only_as_a_run_fails(state: str, kind: str) -> None:
    error = failed(in_state(state), "drain", kind)
    assert type(error) is (WorkflowFailed if kind in RUN_FAILURES else ProtocolViolation)


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (["1", "2", "3"], None),
        (["2", "3", "1"], None),  # those of types that nobody knows come last
        (["2"], "the id '2', where '1' is next"),
        (["1", "1"], "two requests the id '1'"),
        (["1", "3"], "the id '3', where '1' is next"),
        (["0"], "the id '0'"),
        (["-1"], "the id '-1'"),
        (["01"], "the id '01'"),
        (["1.0"], "the id '1.0'"),
        ([" 1"], "the id ' 1'"),
        (["1\n"], "the id '1\\n'"),
        (["\u0661"], "the id '\u0661'"),
        ([""], "/requests/0/id"),
        (["a"], "the id 'a'"),
        (["9" * 5000], "the id '9999"),
        (["1", "1" * 5000], "the id '1111"),
    ],
)
def test_ids_count_from_1(ids: list[str], told: str | None) -> None:
    replies = Replies()
    result = drained(requests=[{"type": "agent", "id": each, "prompt": "p"} for each in ids])
    if told is None:
        said(replies, "drain", result)
        assert replies.outstanding == len(ids)
        return
    with pytest.raises(ProtocolViolation) as caught:
        said(replies, "drain", result)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 200


def test_an_id_is_used_up_by_being_settled() -> None:
    replies = in_state("a request settled")
    assert replies.outstanding == 0
    with pytest.raises(ProtocolViolation, match="two requests the id '1'"):
        said(replies, "drain", drained(**ASKS))


def test_what_a_lying_child_says_is_told_in_part_only() -> None:
    replies = Replies()
    replies.expect(Drain())
    with pytest.raises(ProtocolViolation) as caught:
        replies.take(Failure(1, CODES["internal"], "x" * 100_000, {"kind": "internal"}))
    assert len(str(caught.value)) < 500
