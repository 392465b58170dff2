"""What comes of every reply to every message, by the tables of `flowcage.protocol.replies`.

From the moment that it has seen source, a child is taken to be the workflow's own, which may have taken it
over while it compiled. So what it says must be something that a child may say in that state, and what it may
claim of itself it could as well have brought about. Anything else is a `ProtocolViolation`. No reply ends as
a fault of the host's: a message that would deserve a refusal is not sent, for `Channel.encode` holds each to
the contract.

Only what answers `initialize` comes from a child that nobody can have taken over.
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
from flowcage.protocol import encode, errors
from flowcage.protocol.envelope import Failure, Result
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import Drained, Message, Resolve
from flowcage.protocol.replies import CONTRADICTIONS, MAY_FAIL, Known, Said

_SHOWN = 200


class _Asked(NamedTuple):
    method: str
    request_id: str | None  # of a resolve


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
        """A message is about to be sent; its reply comes after those to the messages before."""
        settles = message.id if isinstance(message, Resolve) else None
        self._asked.append(_Asked(encode.method(message), settles))

    def take(self, reply: Result | Failure) -> object:
        """The decoded result of a reply.

        Raises:
            WorkflowFailed: the run failed.
            IsolationUnavailable, RunRefused: the child would not do it.
            ProtocolViolation: the reply is not in the contract, or cannot be true.
        """
        asked = self._asked.popleft()
        if isinstance(reply, Failure):
            raise _error_of(asked.method, reply)
        result = _decoded(asked.method, reply)
        if asked.request_id is not None:
            self._outstanding.discard(asked.request_id)
        if isinstance(result, Drained):
            self._take_in(result)
        return result

    def _take_in(self, drained: Drained) -> None:
        self._hand_out([request.id for request in drained.requests])
        said = _said(drained)
        if (why := CONTRADICTIONS.get((self._known, said))) is not None:
            raise ProtocolViolation(f"the child says that the workflow {why}")
        self._is_failing = said is Said.MORE

    @property
    def _known(self) -> Known:
        if self._is_failing:
            return Known.FAILING
        return Known.WAITING if self._outstanding else Known.IDLE

    def _hand_out(self, ids: list[str]) -> None:
        """Ids count from 1, so to know one that was used before nothing need be remembered of those.

        Requests of unknown types stand after the others, whatever their ids are.
        """
        first, last = self._handed_out + 1, self._handed_out + len(ids)
        expected = {str(number) for number in range(first, last + 1)}
        for each in ids:
            if each not in expected:
                self._refuse(each, first, last)
            expected.remove(each)
        self._handed_out = last
        self._outstanding.update(ids)

    def _refuse(self, request_id: str, first: int, last: int) -> NoReturn:
        shown = request_id[:40]
        if _is_number(request_id) and 1 <= int(request_id) <= last:
            raise ProtocolViolation(f"the child gave two requests the id {shown!r}")
        raise ProtocolViolation(f"the child gave a request the id {shown!r}, where '{first}' is next")


def _is_number(text: str) -> bool:
    return len(text) < 20 and text.isascii() and text.isdigit()


def _said(drained: Drained) -> Said:
    said = [
        word
        for word, is_said in (
            (Said.COMPLETE, drained.complete),
            (Said.STALLED, drained.stalled),
            (Said.MORE, drained.more),
        )
        if is_said
    ]
    if len(said) > 1:
        return Said.CONTRADICTORY
    return said[0] if said else Said.PENDING


def _error_of(method: str, failure: Failure) -> RunError:
    _require_contract(method, failure)
    kind = failure.data["kind"]
    if kind not in MAY_FAIL[method]:
        told = failure.message[:_SHOWN]
        return ProtocolViolation(f"the child answered {method} with {kind}, which no child may: {told}")
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
    # jsonschema takes a tenth of a second to import, and a hundred times as long as `codec`, which a parity
    # test holds equal to it for results. Only a run that failed waits for it, once.
    from flowcage.schemas.validate import error_error

    violation = error_error(_error_object(failure))
    if violation is not None:
        where = violation.path or "error"
        raise ProtocolViolation(
            f"the child's answer to {method} is not in the contract: {where}: {violation.message}"
        )


def _error_object(reply: Failure) -> dict[str, Any]:
    return {"code": reply.code, "message": reply.message, "data": reply.data}
