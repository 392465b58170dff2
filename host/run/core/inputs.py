"""All that can happen to a run: what `Core.step` is given.

Each is plain data. A run is the fold of its inputs, so whoever keeps them can carry the run out again.
Workflows of a tree have paths: "" is the root, "3" the child workflow that its request 3 started, "3/1" one
below that. Requests are named by their workflow's path and their own number: "2" of the root, "3/2" of "3".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from flowcage.protocol.messages import Call, Json, Missing, Request

Dialect: TypeAlias = Literal["module", "script"]
Facts: TypeAlias = Mapping[str, Json]
NO_FACTS: Facts = MappingProxyType({})


class State(StrEnum):
    """Where a workflow stands after what its child said."""

    PARTIAL = "partial"  # more of the same reply follows as another `Said`
    PENDING = "pending"
    MORE = "more"  # the workflow has failed; the next reply tells how
    STALLED = "stalled"
    COMPLETE = "complete"


class Reason(StrEnum):
    """Why a request was not answered."""

    REFUSED = "refused"  # whoever was asked raised `RequestRejected`
    TIMEOUT = "timeout"  # `options.timeoutMs` passed
    WRONG_ANSWER = "wrong_answer"  # not what the call's schema asks for
    SHARE = "share"  # what it may spend beside others is too little; `facts` may say what it needs
    BAD_CALL = "bad_call"  # the call itself is wrong, such as its schema; another attempt cannot help


class Spent(NamedTuple):
    """What one answer cost: tokens that count for the budget, US dollars, and seconds on the wall clock.

    `cost_usd` is None where nobody knows it, which is not the same as nothing.
    """

    tokens: int = 0
    cost_usd: float | None = 0.0
    seconds: float = 0.0


NOTHING = Spent()


def sum_of(one: Spent, other: Spent) -> Spent:
    """What both cost together."""
    costs = one.cost_usd, other.cost_usd
    cost = None if None in costs else sum(each or 0.0 for each in costs)
    return Spent(one.tokens + other.tokens, cost, one.seconds + other.seconds)


NOTHING_KNOWN: Mapping[str, str] = MappingProxyType({})


class Opened(NamedTuple):
    """A workflow begins. `request` is the id of the request that asked for it, "" for the root."""

    path: str
    source_name: str
    request: str = ""


class Compiled(NamedTuple):
    """The child has compiled the source and found its dialect; None from a child that does not tell."""

    path: str
    dialect: Dialect | None


class Said(NamedTuple):
    """The child answered a drain. A long answer comes in parts, so that the event loop is not held up.

    `known` are requests that are answered by another run, each with the id that it has there: they are not
    asked, and count against no cap. `Reused` settles them.
    """

    path: str
    calls: Sequence[Call] = ()
    requests: Sequence[Request] = ()
    diagnostics: Sequence[Facts] = ()
    state: State = State.PENDING
    result: Json = None
    known: Mapping[str, str] = NOTHING_KNOWN


class Noted(NamedTuple):
    """The host has a diagnostic of its own."""

    path: str
    diagnostic: Facts


class Turn(NamedTuple):
    """The driver is ready to send: what is answered by now goes out together, before one drain."""

    path: str


class Answered(NamedTuple):
    """Whoever was asked has answered. `facts` go into the event: model, session, usage."""

    id: str
    value: Json
    spent: Spent = NOTHING
    facts: Facts = NO_FACTS


class Refused(NamedTuple):
    """Whoever was asked has no answer, or none of use; `text` is the answer that was refused."""

    id: str
    message: str
    reason: Reason = Reason.REFUSED
    text: str | None = None
    spent: Spent = NOTHING
    facts: Facts = NO_FACTS


class Reused(NamedTuple):
    """A request has the answer that another run has had.

    It settles what is `Said.known`, and a child workflow that its handler was asked to start.

    Attributes:
        value: `MISSING` for a sleep.
        run, request: where the answer is from.
        replaced: whether somebody gave another answer in the place of that one.
        spent: what it cost then; the workflow sees the tokens in its budget, and nobody is billed.
        agents: calls of agents that it stands for: several for a child workflow, none for a sleep.
    """

    id: str
    value: Json | Missing
    run: str
    request: str
    replaced: bool = False
    spent: Spent = NOTHING
    agents: int = 1
    facts: Facts = NO_FACTS


class Heard(NamedTuple):
    """An agent has answered, and it takes a process to find out what the answer is good for.

    `Answered` or `Refused` follows, with what the check took as its `spent`. Where neither does, because the
    host has ended, this answer is checked again and nobody is asked.
    """

    id: str
    value: Json
    spent: Spent = NOTHING
    facts: Facts = NO_FACTS


class Charged(NamedTuple):
    """An agent was cut off, or cannot answer at all, and had spent something."""

    id: str
    spent: Spent
    facts: Facts = NO_FACTS


class Told(NamedTuple):
    """An agent at work tells what its question has cost by now, in the place of what it told before.

    What comes of the question says what it has cost, and then this counts for nothing. Where nothing comes,
    because the host has ended, it is what there is to charge.
    """

    id: str
    spent: Spent
    facts: Facts = NO_FACTS


class Remembered(NamedTuple):
    """Whoever was asked has left a note for itself, to find it where this attempt is asked once more."""

    id: str
    handle: str


class Lived(NamedTuple):
    """The processes of the run have used so much CPU since this was told last."""

    cpu_seconds: float


class Due(NamedTuple):
    """A time that `Wake` asked for has come."""

    id: str


class Failed(NamedTuple):
    """The host's own program failed: a handler or a listener raised what is no answer."""

    path: str
    message: str


class Ended(NamedTuple):
    """The workflow's child is gone, for whatever reason; nothing that comes later counts.

    `unbegun` are calls of it that were to be asked and whose task never began, such as for want of a slot.
    """

    path: str
    unbegun: frozenset[str] = frozenset()


Input: TypeAlias = (
    Opened
    | Compiled
    | Said
    | Noted
    | Turn
    | Answered
    | Refused
    | Reused
    | Heard
    | Charged
    | Told
    | Remembered
    | Lived
    | Due
    | Failed
    | Ended
)
