"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from flowcage import FlowcageError, HostClosing, Overloaded, RunError, WorkflowFailed

NOTHING: Mapping[str, str] = MappingProxyType({})


class Problem(Exception):
    """An answer that is no result.

    Args:
        name: the last part of the problem's type, for programs.
        detail: for people.
        more: further members.
    """

    def __init__(
        self, status: int, name: str, detail: str, headers: Mapping[str, str] = NOTHING, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers
        self.body: dict[str, Any] = {
            "type": f"urn:flowcage:problem:{name}",
            "title": HTTPStatus(status).phrase,
            "status": int(status),
            "detail": detail,
            **more,
        }


def problem_of(error: FlowcageError) -> Problem:
    """The problem that answers a client whose `Host.run` failed."""
    if isinstance(error, Overloaded):
        later = {"Retry-After": str(math.ceil(error.retry_after_seconds))}
        return Problem(429, "overloaded", str(error), later, quota=error.quota)
    if isinstance(error, HostClosing):
        return Problem(503, "closing", "the service is shutting down", {"Retry-After": "5"})
    if isinstance(error, RunError):
        return _of_run(error)
    return Problem(500, "internal", "the service failed; its log says more")


def _of_run(error: RunError) -> Problem:
    status = error.verdict.http_status
    detail = str(error) if status < 500 else "the service could not run the workflow; its log says more"
    report = error.report
    more: dict[str, Any] = {"verdict": error.verdict, "runId": report.run_id}
    more |= {"usage": report.usage.to_json(), "census": report.census.to_json()}
    more |= {"diagnostics": list(report.diagnostics)}
    if isinstance(error, WorkflowFailed):
        more |= {"kind": error.kind, "place": error.place, "stack": error.stack}
    return Problem(status, error.verdict.replace("_", "-"), detail, **more)
