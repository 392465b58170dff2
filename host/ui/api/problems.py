"""What an answer says where something cannot be had or done (RFC 9457)."""

from __future__ import annotations

from typing import Any

from flowcage.host.agents.errors import AgentError
from flowcage.host.durable.errors import RunHasEnded, StoreError, StoreFailed, UnknownRun
from flowcage.host.resume.questions import AnswerDoesNotFit, QuestionNotOpen
from flowcage.host.resume.refusals import NotResumable

KIND = "application/problem+json"

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (UnknownRun, 404),
    (RunHasEnded, 409),
    (QuestionNotOpen, 409),
    (NotResumable, 409),
    (AnswerDoesNotFit, 422),
    (AgentError, 422),
    (StoreFailed, 503),
    (StoreError, 500),
)


class Problem(Exception):
    """Something cannot be had or done, and why.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status

    def to_json(self) -> dict[str, Any]:
        """As the answer has it."""
        return {"type": "about:blank", "status": self.status, "detail": str(self)}


def problem_of(error: Exception) -> Problem | None:
    """What an error is for whoever asked; None for a fault of ours."""
    if isinstance(error, Problem):
        return error
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return Problem(status, str(error))
    if isinstance(error, OSError):  # the machine lacks something
        return Problem(503, error.strerror or str(error))
    return None
