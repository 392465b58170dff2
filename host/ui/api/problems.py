"""What an answer says where something cannot be had or done (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flowcage.host.agents.errors import AgentError
from flowcage.host.durable.errors import AlreadyThere, RunHasEnded, StoreError, StoreFailed, UnknownRun
from flowcage.host.durable.reuse.terms import NotForkable
from flowcage.host.outcome.errors import HostClosing, Overloaded
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
    (AlreadyThere, 409),
    (NotForkable, 409),
    (StoreFailed, 503),
    (StoreError, 500),
)


# Seconds after which the next instance of a service may be there.
_LATER = {"Retry-After": "5"}
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Problem(Exception):
    """Something cannot be had or done, and why.

    Args:
        status: of HTTP.
        detail: for a person.
        headers: of the answer.
        more: further members of the answer, for programs.

    Attributes:
        status, headers: as they were given.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] = NOTHING,
        more: Mapping[str, Any] = NOTHING,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers
        self._more = more

    def to_json(self) -> dict[str, Any]:
        """As the answer has it."""
        return {"type": "about:blank", "status": self.status, "detail": str(self), **self._more}


def problem_of(error: Exception) -> Problem | None:
    """What an error is for whoever asked; None for a fault of ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Overloaded):
        later = {"Retry-After": str(math.ceil(error.retry_after_seconds))}
        return Problem(429, str(error), later, {"quota": error.quota})
    if isinstance(error, HostClosing):
        return Problem(503, "the service is shutting down", _LATER)
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return Problem(status, str(error))
    if isinstance(error, OSError):  # the machine lacks something
        return Problem(503, error.strerror or str(error))
    return None
