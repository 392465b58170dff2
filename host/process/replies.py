"""What becomes of every reply, by the tables of `flowcage.protocol.replies`.

A child that has received source is untrusted: the workflow may have taken it over while it was compiled. Its
replies are held to two rules. Each must be one that a correct child can give in the present state of the run;
and a failure that a reply reports must be one that the workflow could have brought about anyway, so that a
lie gains nothing. Anything else is a `ProtocolViolation`. Only the reply to `initialize` comes before any
source.

`Channel` is the only caller: `expect` for every message, in the order of sending, and `take` for every reply.

Invariants:

- The n-th reply answers the n-th message. `expect` and `take` are a queue; who registers in another order
  reads a reply by the schema of another message.
- Nothing of a reply is used before it was held to the contract: `codec.result` and the schema of errors come
  first, then the ids of requests, then the state that the reply tells of. Ids come before the state, since
  the requests that a drain brings are outstanding in the state that the same drain tells of.
- Ids of requests are 1, 2, 3, …, each handed out once. So one number, not a set of all former ids, tells a
  repeated one.
- `outstanding` has the ids that were handed out and whose resolution was not answered with a result: one
  that is under way still counts, and so the child cannot be told to be idle too early. What an `advance`
  settles is gone before its own drain is judged. What a `replay` settles may be what it hands out.
- After `more` only the failure that it announces may follow.
- No reply is turned into a fault of the host. A message that deserves a refusal is never sent, because
  `Channel.encode` holds each to the contract, so an error that accuses the host is a lie
  (tests/run/test_verdicts_on_lies.py, tests/process/test_replies.py).
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple, NoReturn

from flowcage.host.outcome.errors import (
    IsolationUnavailable,
    ProtocolViolation,
    RunError,
    RunRefused,
    WorkflowFailed,
)
from flowcage.host.process import codec
from flowcage.host.terminal.text import cut
from flowcage.protocol import encode, errors
from flowcage.protocol.envelope import Failure, Result
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import Advance, Drained, Message, Replay, Resolve
from flowcage.protocol.replies import CONTRADICTIONS, MAY_FAIL, Known, Said

# Characters of a child's message that an error quotes.
_SHOWN = 200
_SHOWN_OF_ID = 40


class _Asked(NamedTuple):
    method: str
    settles: tuple[str, ...]  # requests, by their ids
    turns: tuple[tuple[Resolve, ...], ...] = ()  # of a `replay`, which may be carried out in part


class Replies:
    """The host's account of what it asked, and what the child may answer."""

    def __init__(self) -> None:
        self._asked: deque[_Asked] = deque()
        self._outstanding: set[str] = set()
        self._handed_out = 0
        self._is_failing = False

    @property
    def outstanding(self) -> int:
        """Requests that the child has handed out and that no resolve has settled."""
        return len(self._outstanding)

    def expect(self, message: Message) -> None:
        """Register the reply to a message that is about to be sent."""
        turns = message.turns if isinstance(message, Replay) else ()
        self._asked.append(_Asked(encode.method(message), _settled_by(message), turns))

    def take(self, reply: Result | Failure) -> object:
        """The decoded result of a reply.

        Raises:
            WorkflowFailed: the reply is a failure of the workflow.
            IsolationUnavailable, RunRefused: the child refused `initialize`, or has no `check`.
            ProtocolViolation: the reply is not in the contract, or cannot be true.
        """
        asked = self._asked.popleft()
        if isinstance(reply, Failure):
            raise _error_of(asked.method, reply)
        result = reply.result
        if type(result) is not Drained:  # by `codec.read_typed`; no JSON is one
            result = _decoded(asked.method, reply)
        if asked.settles:
            self._outstanding.difference_update(asked.settles)
        if isinstance(result, Drained):
            self._take_in(result, self._settled(asked.turns, result))
        return result

    def _settled(self, turns: tuple[tuple[Resolve, ...], ...], drained: Drained) -> list[str]:
        """The requests that the turns of a `replay` have settled, some of which it hands out itself."""
        counts = drained.counts
        if not turns and not counts:
            return []
        if len(counts) > len(turns) or sum(counts) != len(drained.requests):
            raise ProtocolViolation("the child counts other turns or requests than there are")
        return [each.id for turn in turns[: len(counts)] for each in turn]

    def _take_in(self, drained: Drained, settled: list[str]) -> None:
        if drained.requests:
            self._hand_out([request.id for request in drained.requests])
        if settled:
            self._outstanding.difference_update(settled)
        said = _said(drained)
        if said is Said.PENDING and self._outstanding and not self._is_failing:
            return  # nearly always; enums are slow as keys
        if (why := CONTRADICTIONS.get((self._known, said))) is not None:
            raise ProtocolViolation(f"the child says that the workflow {why}")
        self._is_failing = said is Said.MORE

    @property
    def _known(self) -> Known:
        if self._is_failing:
            return Known.FAILING
        return Known.WAITING if self._outstanding else Known.IDLE

    def _hand_out(self, ids: list[str]) -> None:
        """Register the ids of a drain's requests, which must be the next numbers.

        Their order is free: the decoder puts requests of unknown types after all others.
        """
        first, last = self._handed_out + 1, self._handed_out + len(ids)
        if len(ids) == 1 and ids[0] == str(first):
            self._handed_out = first
            self._outstanding.add(ids[0])
            return
        expected = {str(number) for number in range(first, last + 1)}
        for each in ids:
            if each not in expected:
                self._refuse(each, first, last)
            expected.remove(each)
        self._handed_out = last
        self._outstanding.update(ids)

    def _refuse(self, request_id: str, first: int, last: int) -> NoReturn:
        shown = cut(request_id, _SHOWN_OF_ID)
        if _is_number(request_id) and 1 <= int(request_id) <= last:
            raise ProtocolViolation(f"the child gave two requests the id {shown!r}")
        raise ProtocolViolation(f"the child gave a request the id {shown!r}, where '{first}' is next")


def _settled_by(message: Message) -> tuple[str, ...]:
    if isinstance(message, Advance):
        return tuple([each.id for turn in message.turns for each in turn])
    return (message.id,) if isinstance(message, Resolve) else ()


def _is_number(text: str) -> bool:
    # Bounded, because int() of a long text raises; ASCII, because isdigit() takes superscripts, which int()
    # does not.
    return len(text) < 20 and text.isascii() and text.isdigit()


def _said(drained: Drained) -> Said:
    if not (drained.complete or drained.stalled or drained.more):
        return Said.PENDING
    if drained.complete + drained.stalled + drained.more > 1:
        return Said.CONTRADICTORY
    if drained.complete:
        return Said.COMPLETE
    return Said.STALLED if drained.stalled else Said.MORE


def _error_of(method: str, failure: Failure) -> RunError:
    _require_contract(method, failure)
    kind = failure.data["kind"]
    if kind not in MAY_FAIL[method]:
        told = cut(failure.message, _SHOWN)
        return ProtocolViolation(
            f"the child answered {method} with {kind}, an error that no correct child gives: {told}"
        )
    if kind in errors.RUN_FAILURES:
        return WorkflowFailed(kind, failure.message, failure.data)
    if kind == errors.ISOLATION_UNAVAILABLE:
        return IsolationUnavailable(failure.message)
    return RunRefused(f"the child refused {method} ({kind}): {failure.message}", kind, failure.data)


def _decoded(method: str, reply: Result) -> object:
    try:
        return codec.result(method, reply.result)
    except ErrorReply as refusal:
        raise ProtocolViolation(
            f"the child's answer to {method} is not in the contract: {refusal.message}"
        ) from None


def _require_contract(method: str, failure: Failure) -> None:
    # jsonschema takes a tenth of a second to import and is a hundred times slower than `codec`, which has no
    # decoder for errors. Only a run that failed comes here, once.
    from flowcage.schemas.validate import error_error

    violation = error_error(_error_object(failure))
    if violation is not None:
        where = violation.path or "error"
        raise ProtocolViolation(
            f"the child's answer to {method} is not in the contract: {where}: {violation.message}"
        )


def _error_object(reply: Failure) -> dict[str, Any]:
    return {"code": reply.code, "message": reply.message, "data": reply.data}
