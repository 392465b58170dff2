"""What a store is given and gives back: plain values, each a named tuple.

Times are milliseconds on the wall clock since 1970 (names end in ``_at``), except for an entry's `at`, which
is the number of seconds that the core was told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from flowcage.host.durable.history.digests import Digests
from flowcage.host.run.core.inputs import Answered, Input, Refused
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import MISSING, Budget, Json, Missing

State: TypeAlias = Literal["queued", "running", "asleep", "diverged", "ended"]
STATES: tuple[State, ...] = ("queued", "running", "asleep", "diverged", "ended")
LAST = "@last"  # in the place of an id, the newest run
Why: TypeAlias = Literal["queued", "abandoned", "due", "answered", "cancelled"]
Texts: TypeAlias = Mapping[str, str]


# In the place of the args of a child workflow that are not stored: it is no JSON.
WITHHELD = "not stored"


class NewWorkflow(NamedTuple):
    """A workflow of a run's tree, as it was begun.

    Attributes:
        path: in the tree; "" is the root.
        args: the JSON text verbatim, because the order of members is visible; None where there were none.
        budget: at its start, which the workflow can see.
        limits: those that the workflow can see or run into, by their names on the wire.
        made_by: versions and builds of flowcage, protocol, prelude and engine.
        agent: identity of who answers its ``agent()``.
        reuse: of the root of a fork: what it reuses of the run that it was forked from.
        modules: sources that it may import, by their names.
    """

    path: str
    source: str
    source_name: str
    args: str | None = None
    dialect: str = "auto"
    budget: Budget = Budget()
    limits: Mapping[str, int] = MappingProxyType({})
    made_by: Texts = MappingProxyType({})
    agent: str = ""
    reuse: Json = None
    modules: Texts = MappingProxyType({})


class NewRun(NamedTuple):
    """A run to be kept.

    Attributes:
        run_id: 1 to 100 of A-Z, a-z, 0-9, '.', '_' and '-'; unique in the store.
        rules: that its core decides by.
        start_key: of the caller's choice: a second start with it is the same run.
        forked_from, forked_at: the run whose answers it reuses, and the number of entries of it that it has.
        expires_at: from when on it is not woken any more.
        delete_after: when it may be removed, once it has ended.
        settings: what a host needs besides to go on with it, such as the options of a command; never secrets.
        pool: of the workers that may take it while it is queued, "" the usual one; None for its own host.
        priority: the higher goes first, within a tenant; from -1,000,000 to 1,000,000.
        not_before: when it may be taken.
    """

    run_id: str
    tenant: str
    rules: Rules
    root: NewWorkflow
    start_key: str | None = None
    forked_from: str | None = None
    forked_at: int | None = None
    delete_after: int | None = None
    settings: Json = None
    expires_at: int | None = None
    pool: str | None = None
    priority: int = 0
    not_before: int | None = None


class Created(NamedTuple):
    """The run that a start has led to; `epoch` is None unless it is new and this host's."""

    run_id: str
    epoch: int | None
    is_new: bool


class EncodedEntry(NamedTuple):
    """An input that was encoded by `Store.encode`, and when the core was given it."""

    at: float
    data: bytes


class Entry(NamedTuple):
    """One input of a run's core. `digests` are there where it is a reply."""

    seq: int
    at: float
    epoch: int
    input: Input
    digests: Digests | None


class OutsideAnswer(NamedTuple):
    """An answer that came from outside of the run and was not taken in yet."""

    request: str
    answer: Answered | Refused
    at: int


class Cancel(NamedTuple):
    """Somebody asked for the run to end."""

    at: int
    reason: str


class FromOutside(NamedTuple):
    """What was given to a run from outside and is not taken in: answered requests, and a wish to end it."""

    run_id: str
    requests: frozenset[str]
    cancel: Cancel | None


class Ending(NamedTuple):
    """How a run ended, or why it diverged. `error` and `usage` are whatever the host tells of them."""

    verdict: str
    result: Json | Missing = MISSING
    error: Json = None
    usage: Json = None


class Summary(NamedTuple):
    """A run without its history.

    Attributes:
        is_abandoned: whether it is running and the host that has it is gone.
        sleeps: how often it fell asleep.
        written_at: when its last entry was committed, or the run, where it has none.
        wake_at: of a queued run, before when it is not taken.
        pool, priority: as it was made with.
        made_by: the mark of what can replay it; "" for anything.
        takeovers: from dead owners, without anything in between that got the run on.
        progress: how many entries there were at the last takeover, and how many since have not got it on.
        held: why it waits in the queue; "" for no other reason than its turn.
        tries: how often it was put back because of how a life had ended.
    """

    run_id: str
    tenant: str
    state: State
    verdict: str | None
    source_name: str
    start_key: str | None
    forked_from: str | None
    forked_at: int | None
    owner: str | None
    epoch: int
    entries: int
    bytes: int
    wake_at: int | None
    sleeps: int
    cancel: Cancel | None
    created_at: int
    updated_at: int
    written_at: int
    expires_at: int | None
    delete_after: int | None
    pool: str | None = None
    priority: int = 0
    made_by: str = ""
    takeovers: int = 0
    progress: int = 0
    held: str = ""
    tries: int = 0
    is_abandoned: bool = False


class RunRecord(NamedTuple):
    """A run with all that is needed to carry it out again.

    Attributes:
        digest_key: that the digests of its entries were made with.
        workflows: by path, the root first.
        answers: from outside, those that were not taken in yet.
        settings: as the run was made with.
    """

    summary: Summary
    rules: Rules
    digest_key: bytes
    workflows: Mapping[str, NewWorkflow]
    entries: Sequence[Entry]
    answers: Sequence[OutsideAnswer]
    ending: Ending | None
    settings: Json = None


class Claimable(NamedTuple):
    """A run that some host should claim."""

    run_id: str
    why: Why


class Place(NamedTuple):
    """Where a run stands in the list of all."""

    created_at: int
    run_id: str


class Filter(NamedTuple):
    """Which runs are listed, the newest first. None takes all.

    Attributes:
        prefix: of their ids.
        abandoned: of those that are running, whether the host is gone; others are as without it.
        since, until: of `created_at`; `until` is excluded.
        limit: how many at most.
        before: continues behind this run, or this place, of the list before.
        pool: of this pool of workers.
        held: of those that are queued, whether something says why; others are as without it.
    """

    tenant: str | None = None
    states: Sequence[State] | None = None
    verdicts: Sequence[str] | None = None
    prefix: str = ""
    since: int | None = None
    until: int | None = None
    forked_from: str | None = None
    limit: int = 100
    before: Summary | Place | None = None
    abandoned: bool | None = None
    pool: str | None = None
    held: bool | None = None


ALL = Filter()
