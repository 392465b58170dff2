"""The messages of the wire contract as immutable values; `decode` builds them, `encode` is the inverse.

They are named tuples, not dataclasses: a child is started for each run, and to import ``dataclasses`` and
build twenty of them would double its start-up time. Nor does a module with a named tuple import
``annotations`` from ``__future__``: typing would compile each annotation by itself.
"""

from collections.abc import Mapping
from types import MappingProxyType

from flowcage._hints import Any, Literal, NamedTuple, TypeAlias
from flowcage.protocol.layers import Initialized as Initialized
from flowcage.protocol.layers import Layer as Layer
from flowcage.protocol.layers import Peer as Peer
from flowcage.protocol.limits import NO_LIMITS, Limits
from flowcage.protocol.sources.findings import SEVERITIES as SEVERITIES
from flowcage.protocol.sources.findings import Finding as Finding
from flowcage.protocol.sources.findings import Import as Import

Json: TypeAlias = Any
Isolation: TypeAlias = Literal["strict", "best_effort", "none"]
Dialect: TypeAlias = Literal["auto", "module", "script"]
RequestId: TypeAlias = str | int
ISOLATIONS: tuple[Isolation, ...] = ("strict", "best_effort", "none")
DIALECTS: tuple[Dialect, ...] = ("auto", "module", "script")


class Missing:
    """The type of `MISSING`: a JSON member that is absent, where null is a value of its own."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()

NO_MODULES: Mapping[str, str] = MappingProxyType({})


# ---- host to child ---------------------------------------------------------------------------


class Budget(NamedTuple):
    """Tokens, as the workflow is shown them; `total` is None where there is no ceiling."""

    total: int | None = None
    spent: int = 0


class Initialize(NamedTuple):
    """First message: agrees on the version, sets the limits and closes the cage.

    `reads`: whether `Check` will be asked for more than `meta`, so that the child loads what that takes.
    """

    protocol_version: str
    client: Peer | None = None
    limits: Limits = Limits()
    isolation: Isolation | None = None
    reads: bool = False


class Start(NamedTuple):
    """Compile the workflow of this child.

    Attributes:
        source: JavaScript text.
        args: any JSON.
        describe: whether the result shall tell the dialect.
        limits: limits to lower for this run; 0 leaves one as it is. Children without `run` ignore them.
        modules: what it may import, by its names (`sources.names`). Children without `imports` ignore it.
    """

    source: str
    source_name: str = "workflow.js"
    args: Json | Missing = MISSING
    budget: Budget = Budget()
    dialect: Dialect = "auto"
    describe: bool = False
    limits: Limits = NO_LIMITS
    modules: Mapping[str, str] = NO_MODULES


class Run(NamedTuple):
    """`Start` and the first `Drain` in one message, with the fields of `Start`."""

    source: str
    source_name: str = "workflow.js"
    args: Json | Missing = MISSING
    budget: Budget = Budget()
    dialect: Dialect = "auto"
    describe: bool = False
    limits: Limits = NO_LIMITS
    modules: Mapping[str, str] = NO_MODULES


class Check(NamedTuple):
    """Compile a workflow and read its `meta`, without running its body.

    `findings`, `outline`: whether the result shall have what is probably wrong with the source, its outline.
    `modules`: as in `Start`.
    """

    source: str
    source_name: str = "workflow.js"
    dialect: Dialect = "auto"
    findings: bool = False
    outline: bool = False
    modules: Mapping[str, str] = NO_MODULES


class Imports(NamedTuple):
    """Tell which modules a source imports that stand beside it. None of its code runs."""

    source: str
    source_name: str = "workflow.js"
    dialect: Dialect = "auto"


class Poll(NamedTuple):
    """Run to quiet and report one event."""


class Take(NamedTuple):
    """Run to quiet and hand out every queued request."""


class Drain(NamedTuple):
    """Run to quiet and hand out all calls and requests, with the state of the run."""


class Ok(NamedTuple):
    """The request succeeded with a JSON value. `budget` replaces that of the workflow, if it is there."""

    value: Json
    budget: Budget | None = None


class OkUndefined(NamedTuple):
    """The request succeeded with JavaScript's undefined."""


class Rejected(NamedTuple):
    """The request failed: the workflow's promise is rejected with an Error of this message."""

    message: str


Resolution: TypeAlias = Ok | OkUndefined | Rejected


class Resolve(NamedTuple):
    """Settle the request that the child numbered `id`."""

    id: str
    resolution: Resolution


class Advance(NamedTuple):
    """Settle requests and drain, in one message: each turn settles its requests and runs to quiet."""

    turns: tuple[tuple[Resolve, ...], ...]


class Replay(NamedTuple):
    """Carry out turns as so many messages with one each, and hand out together what each of them queued."""

    turns: tuple[tuple[Resolve, ...], ...]


class Sites(NamedTuple):
    """Tell where in its source the workflow made the requests that are outstanding."""


class Shutdown(NamedTuple):
    """Answer, then exit 0."""


OfSource: TypeAlias = Initialize | Start | Run | Check | Imports
OfRun: TypeAlias = Poll | Take | Drain | Resolve | Advance | Replay | Sites
Message: TypeAlias = OfSource | OfRun | Shutdown

_OF_SOURCE = (Initialize, Start, Run, Check, Imports)
_KINDS = (*_OF_SOURCE, Poll, Take, Drain, Resolve, Advance, Replay, Sites, Shutdown)
METHODS: dict[str, type[Message]] = {kind.__name__.lower(): kind for kind in _KINDS}
METHOD_NAMES: dict[type[Message], str] = {kind: name for name, kind in METHODS.items()}


# ---- child to host ---------------------------------------------------------------------------


class Log(NamedTuple):
    """The workflow called ``log(...values)``."""

    values: list[Json]


class Phase(NamedTuple):
    """The workflow called ``phase(name, options)``."""

    name: str
    options: Json | Missing = MISSING


Call: TypeAlias = Log | Phase


class AgentRequest(NamedTuple):
    """``agent(prompt, options)`` waits for an answer."""

    id: str
    prompt: str
    options: dict[str, Json] | Missing = MISSING


class WorkflowRequest(NamedTuple):
    """``workflow(ref, args)`` waits for a child workflow; `ref` is a name or ``{"scriptPath": …}``."""

    id: str
    ref: str | dict[str, Json]
    args: Json | Missing = MISSING


class SleepRequest(NamedTuple):
    """``sleep(ms)`` waits for the host's clock."""

    id: str
    duration_ms: int


class SandboxExecRequest(NamedTuple):
    """``SW.sandbox.exec(profile, request)`` waits for a program the host may run."""

    id: str
    profile: str
    request: dict[str, Json]


class AskRequest(NamedTuple):
    """``ask(question, options)`` waits for a person; if it has `choices`, the value of one is the answer."""

    id: str
    question: str
    schema: dict[str, Json] | bool | Missing = MISSING
    choices: list[dict[str, Json]] | Missing = MISSING
    label: str | Missing = MISSING


class UnknownRequest(NamedTuple):
    """A request of a type that this version does not have. The host rejects it and reports that."""

    id: str
    type: str


Request: TypeAlias = (
    AgentRequest | WorkflowRequest | SleepRequest | SandboxExecRequest | AskRequest | UnknownRequest
)


class Started(NamedTuple):
    """The result of `start`; `dialect` is `MISSING` where it was not asked for or could not be found."""

    dialect: Literal["module", "script"] | Missing = MISSING


class Checked(NamedTuple):
    """The result of `check`: the dialect, and the value of `meta` (None without one).

    `findings` and `outline` are `MISSING` where they were not asked for, or the child is older.
    """

    dialect: Literal["module", "script"]
    meta: Json
    findings: tuple[Finding, ...] | Missing = MISSING
    outline: dict[str, Json] | Missing = MISSING


class Drained(NamedTuple):
    """What answers `drain`, `run`, `advance` and `replay`: calls and requests of the workflow, and its state.

    Attributes:
        complete: whether the workflow has a result, which is in `output`.
        output: ``{"result": …}`` where `complete`, else `MISSING`.
        stalled: whether the workflow can never complete: nothing is outstanding, and its promise is pending.
        diagnostics: notes for its author that were not handed out before.
        more: whether the run has failed after these calls and requests: the next message gets the failure.
        dialect: as in `Started`; in the result of `run` alone.
        counts: how many of the requests each turn has queued that was carried out; of `replay` alone.
    """

    calls: list[Call]
    requests: list[Request]
    complete: bool
    output: Json | Missing = MISSING
    stalled: bool = False
    diagnostics: tuple[dict[str, Json], ...] = ()
    more: bool = False
    dialect: Literal["module", "script"] | Missing = MISSING
    counts: tuple[int, ...] = ()
