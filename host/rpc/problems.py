"""Why a request of a client is not carried out: kinds of errors, and what they say."""

from __future__ import annotations

from functools import cache
from typing import Any

from flowcage.host.durable.errors import AlreadyThere, RunHasEnded, StoreError, StoreFailed, UnknownRun
from flowcage.host.durable.reuse.terms import NotForkable
from flowcage.host.outcome.errors import FlowcageError, HostClosing, Overloaded, RunError
from flowcage.host.resume.questions import AnswerDoesNotFit, QuestionNotOpen
from flowcage.host.resume.refusals import NotResumable
from flowcage.protocol.messages import RequestId
from flowcage.protocol.strictjson import encoded
from flowcage.schemas.loader import HOST_SCHEMA_BASE, document


class Refusal(Exception):
    """The error of an answer.

    Args:
        kind: one of the protocol's.
        why: a sentence for a person.
        data: further members of the error's.
    """

    def __init__(self, kind: str, why: str, /, **data: Any) -> None:
        super().__init__(why)
        self.kind = kind
        self.data = {"kind": kind, **data}


def invalid(method: str, path: str, message: str) -> Refusal:
    """Params that cannot be."""
    schema = f"{HOST_SCHEMA_BASE}{method}.params.json"
    where = f"{path}: {message}" if path else message
    return Refusal("invalid_params", where, path=path, message=message, schema=schema)


@cache
def codes() -> dict[str, int]:
    """The number of each kind, as the schema has it."""
    cases = (each["then"]["properties"]["code"]["const"] for each in document("error", "host")["allOf"])
    kinds = document("error", "host")["properties"]["data"]["properties"]["kind"]["enum"]
    return dict(zip(kinds, cases, strict=True))


def error_line(identifier: RequestId | None, refusal: Refusal) -> bytes:
    """The answer as a line."""
    error = {"code": codes()[refusal.kind], "message": str(refusal), "data": refusal.data}
    return encoded({"jsonrpc": "2.0", "id": identifier, "error": error}) + b"\n"


def refusal_of(error: Exception, method: str, run_id: str) -> Refusal | None:
    """What an error of the host is for a client; None for a fault of ours.

    Args:
        error: as it was raised.
        method: that was asked for.
        run_id: that was named; "" for none.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, Overloaded):
        seconds = error.retry_after_seconds
        return Refusal("overloaded", str(error), quota=str(error.quota), retryAfterSeconds=seconds)
    for kind, name in _OF_A_RUN:
        if isinstance(error, kind):
            return Refusal(name, str(error), runId=run_id)
    if isinstance(error, HostClosing):
        return Refusal("closing", "the host is ending")
    if isinstance(error, StoreError | StoreFailed):
        return Refusal("store_failed", str(error))
    if isinstance(error, RunError):
        return Refusal("no_child", str(error), verdict=error.verdict.value, childAlive=error.child_alive)
    if isinstance(error, FlowcageError | ValueError | TypeError):
        return invalid(method, "", str(error))
    return None


_OF_A_RUN: tuple[tuple[type[Exception], str], ...] = (
    (UnknownRun, "unknown_run"),
    (RunHasEnded, "run_has_ended"),
    (AlreadyThere, "run_id_in_use"),
    (NotResumable, "not_resumable"),
    (NotForkable, "not_forkable"),
    (QuestionNotOpen, "question_not_open"),
    (AnswerDoesNotFit, "answer_does_not_fit"),
)
