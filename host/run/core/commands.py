"""All that a run wants done: what `Core.step` returns, in the order in which it is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from flowcage.host.run.core.inputs import Heard
from flowcage.host.run.core.kinds import Kind
from flowcage.protocol.messages import Json, Request, Resolve


class Tell(NamedTuple):
    """Send these resolutions and the drain behind them, in one write."""

    path: str
    resolves: tuple[Resolve, ...]


class Ask(NamedTuple):
    """Have a request answered.

    Attributes:
        id: of the request in the tree; `request.id` is the one on the wire.
        attempt: counted from 1; `tries` counts the answers that this attempt has had, this one included.
        timeout_ms: for the attempt with all of its tries.
        phase: that an agent's call is charged to.
        problem: what was wrong with the answer before, where the same attempt is asked once more.
        interrupted: whether another host had asked, and ended before there was an answer.
        handle: that was remembered last in this attempt.
        refused: the answer that had the problem, cut where it is long.
        heard: the answer to this, where there is one and only its check is to be done.
        session: that an agent goes on with.
    """

    id: str
    path: str
    kind: Kind
    request: Request
    attempt: int
    tries: int
    timeout_ms: float
    phase: str
    problem: str | None
    interrupted: bool = False
    handle: str | None = None
    refused: str | None = None
    heard: Heard | None = None
    session: str | None = None


class Wake(NamedTuple):
    """Give `Due` for this id at this time, in seconds of the clock that `step` is told."""

    at: float
    id: str


class Ready(NamedTuple):
    """The child is quiet and an answer for it is there: give `Turn`, at once or when it suits."""

    path: str


class Emit(NamedTuple):
    """Tell whoever watches. What is told has no effect on the run."""

    path: str
    type: str
    members: Mapping[str, Any]


class Verdict(StrEnum):
    """How the core ends a workflow: those of `flowcage.host.outcome.verdict` that it decides."""

    COMPLETED = "completed"
    STALLED = "stalled"
    AGENT_LIMIT = "agent_limit"
    BUDGET_EXHAUSTED = "budget_exhausted"
    COST_EXHAUSTED = "cost_exhausted"
    HOST_FAULT = "host_fault"


class Finish(NamedTuple):
    """The workflow is over."""

    path: str
    verdict: Verdict
    result: Json = None
    message: str = ""


Command: TypeAlias = Tell | Ask | Wake | Ready | Emit | Finish
