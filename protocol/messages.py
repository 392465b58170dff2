"""The messages of the wire contract as immutable values; `decode` builds them, `encode` is the inverse.

They are named tuples, not dataclasses: a child is started for each run, and to import ``dataclasses`` and
build twenty of them would double its start-up time. Nor does a module with a named tuple import
``annotations`` from ``__future__``: typing would compile each annotation by itself.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from flowcage.protocol.limits import Limits

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


# ---- host to child ---------------------------------------------------------------------------


class Peer(NamedTuple):
    """One side of the wire: name and version of its program, for logs."""

    name: str
    version: str


class Budget(NamedTuple):
    """Tokens, as the workflow is shown them; `total` is None where there is no ceiling."""

    total: int | None = None
    spent: int = 0


class Initialize(NamedTuple):
    """First message: agrees on the version, sets the limits and closes the cage."""

    protocol_version: str
    client: Peer | None = None
    limits: Limits = Limits()
    isolation: Isolation | None = None


class Start(NamedTuple):
    """Compile the workflow of this child.

    Attributes:
        source: JavaScript text.
        args: any JSON.
        describe: whether the result shall tell the dialect.
    """

    source: str
    source_name: str = "workflow.js"
    args: Json | Missing = MISSING
    budget: Budget = Budget()
    dialect: Dialect = "auto"
    describe: bool = False


class Check(NamedTuple):
    """Compile a workflow and read its `meta`, without running its body."""

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


class Shutdown(NamedTuple):
    """Answer, then exit 0."""


Message: TypeAlias = Initialize | Start | Check | Poll | Take | Drain | Resolve | Shutdown

METHODS: dict[str, type[Message]] = {
    "initialize": Initialize,
    "start": Start,
    "check": Check,
    "poll": Poll,
    "take": Take,
    "drain": Drain,
    "resolve": Resolve,
    "shutdown": Shutdown,
}
METHOD_NAMES: dict[type[Message], str] = {kind: name for name, kind in METHODS.items()}


# ---- child to host ---------------------------------------------------------------------------


class Layer(NamedTuple):
    """One isolation layer: whether it holds, and how or why not."""

    applied: bool
    detail: str


# The layers that `strict` isolation requires.
STRICT_LAYERS = (
    "memory",
    "cpu",
    "files",
    "processes",
    "core",
    "descriptors",
    "environment",
    "capabilities",
    "no_new_privs",
    "seccomp",
    "sealed_code",
)
# Those of them that were added to 1.0 later: older children do not report them.
_ADDED_LAYERS = frozenset({"sealed_code"})
# The layers that are applied where the machine has them.
OPTIONAL_LAYERS = (
    "kernel_memory",
    "memory_access",
    "new_code",
    "parent_death",
    "uid",
    "landlock",
    "namespaces",
)
LAYERS = STRICT_LAYERS + OPTIONAL_LAYERS


def missing_layers(isolation: Mapping[str, Layer]) -> list[str]:
    """The layers of `STRICT_LAYERS` that do not hold, in their order.

    Args:
        isolation: the layers as a child reports them. One that was added later may be left out.
    """
    named = [name for name in STRICT_LAYERS if name in isolation or name not in _ADDED_LAYERS]
    return [name for name in named if name not in isolation or not isolation[name].applied]


class Initialized(NamedTuple):
    """The result of `initialize`: what the child is, and which limits and layers hold."""

    protocol_version: str
    server: Peer
    engine: Peer
    limits: Limits
    isolation: dict[str, Layer]
    max_message_bytes: int


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


class UnknownRequest(NamedTuple):
    """A request of a type that this version does not have. The host rejects it and reports that."""

    id: str
    type: str


Request: TypeAlias = AgentRequest | WorkflowRequest | SleepRequest | SandboxExecRequest | UnknownRequest


class Started(NamedTuple):
    """The result of `start`; `dialect` is `MISSING` where it was not asked for or could not be found."""

    dialect: Literal["module", "script"] | Missing = MISSING


class Checked(NamedTuple):
    """The result of `check`: the dialect, and the value of `meta` (None without one)."""

    dialect: Literal["module", "script"]
    meta: Json


class Drained(NamedTuple):
    """The result of `drain`: what the workflow has called and requested since the last one, and its state.

    Attributes:
        complete: whether the workflow has a result, which is in `output`.
        output: ``{"result": …}`` where `complete`, else `MISSING`.
        stalled: whether the workflow can never complete: nothing is outstanding, and its promise is pending.
        diagnostics: notes for its author that were not handed out before.
        more: whether the run has failed after these calls and requests: the next message gets the failure.
    """

    calls: list[Call]
    requests: list[Request]
    complete: bool
    output: Json | Missing = MISSING
    stalled: bool = False
    diagnostics: tuple[dict[str, Json], ...] = ()
    more: bool = False
