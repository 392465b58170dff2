"""The body of ``POST /runs``: what a client may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import json_text
from .problems import Problem

MIB = 1024 * 1024
MAX_BODY_BYTES = MIB
# The limits of a run, and the highest that a client may set. The host handles each message of a child in one
# piece, while all other runs wait: hence few bytes a message.
LIMITS: Mapping[str, float] = {
    "timeoutSeconds": 60,
    "cpuSeconds": 5,
    "stepTimeoutMs": 2_000,
    "memoryBytes": 64 * MIB,
    "maxQueuedBytes": 256 * 1024,
    "maxReceivedBytes": 16 * MIB,
    "maxAgents": 8,
    "maxTotalAgents": 200,
}


class Submission(NamedTuple):
    """A workflow to run."""

    source: str
    args: Any
    limits: dict[str, float]


def parse(body: bytes) -> Submission:
    """Read a body, ``{"source": …, "args"?: …, "limits"?: {…}}``.

    Raises:
        Problem: 400 or 422.
    """
    try:
        members = json_text.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "invalid-json", f"the body must be JSON: {error}") from None
    if not isinstance(members, dict) or not isinstance(members.get("source"), str):
        raise _invalid("the body must be an object with a text 'source'")
    if unknown := sorted(set(members) - set(Submission._fields)):
        raise _invalid(f"there is no member {unknown[0]!r}; there are {', '.join(Submission._fields)}")
    return Submission(members["source"], members.get("args", {}), _limits(members.get("limits", {})))


def _limits(asked: Any) -> dict[str, float]:
    if not isinstance(asked, dict):
        raise _invalid("'limits' must be an object")
    for name, value in asked.items():
        if name not in LIMITS:
            raise _invalid(f"there is no limit {name!r} to set; there are {', '.join(LIMITS)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LIMITS[name]:
            raise _invalid(f"the limit {name} must be a number above 0 and at most {LIMITS[name]:g}")
    return {**LIMITS, **asked}


def _invalid(detail: str) -> Problem:
    return Problem(422, "invalid-submission", detail)
