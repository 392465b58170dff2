"""The messages of the wire contract as immutable values.

They are named tuples, not dataclasses: the child is started once a run, and importing ``dataclasses``
plus building twenty of them would double its start-up time. `decode` builds them from the wire,
`encode` turns them back; both sides use both.
"""

from __future__ import annotations

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
    """Who speaks: a name and a version for logs."""

    name: str
    version: str


class Budget(NamedTuple):
    """Tokens the workflow may know of; `total` is None when there is no ceiling."""

    total: int | None = None
    spent: int = 0


class Initialize(NamedTuple):
    """First message: agree on the version, set the limits, close the cage."""

    protocol_version: str
    client: Peer | None = None
    limits: Limits = Limits()
    isolation: Isolation | None = None


class Start(NamedTuple):
    """Compile one workflow. `source` is JavaScript text; `args` any JSON; `describe` asks for its dialect."""

    source: str
    source_name: str = "workflow.js"
    args: Json | Missing = MISSING
    budget: Budget = Budget()
    dialect: Dialect = "auto"
    describe: bool = False


class Check(NamedTuple):
    """Compile one workflow and read its `meta` without running its body."""

    source: str
    source_name: str = "workflow.js"
    dialect: Dialect = "auto"


class Poll(NamedTuple):
    """Run to quiet and report one event."""


class Take(NamedTuple):
    """Run to quiet and hand out every queued request."""


class Drain(NamedTuple):
    """Run to quiet and hand out everything."""


class Ok(NamedTuple):
    """The request succeeded with a JSON value, and perhaps a new budget."""

    value: Json
    budget: Budget | None = None


class OkUndefined(NamedTuple):
    """The request succeeded with JavaScript's undefined."""


class Rejected(NamedTuple):
    """The request failed; the workflow sees an Error with this message."""

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


# What `strict` isolation may not do without.
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
# Of those, the ones that came after 1.0: a child of before does not name them.
_ADDED_LAYERS = frozenset({"sealed_code"})
# What is applied where it is to be had.
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
    """Which of `STRICT_LAYERS` do not hold, in their order; one that came later may be left out."""
    named = [name for name in STRICT_LAYERS if name in isolation or name not in _ADDED_LAYERS]
    return [name for name in named if name not in isolation or not isolation[name].applied]


class Initialized(NamedTuple):
    """The cage is closed; what the child is and what holds it."""

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
    """A request of a type that this version does not have. Whoever answers rejects it, and says so."""

    id: str
    type: str


Request: TypeAlias = AgentRequest | WorkflowRequest | SleepRequest | SandboxExecRequest | UnknownRequest


class Started(NamedTuple):
    """What `start` found. The dialect is `MISSING` where nobody asked, and where the child cannot tell."""

    dialect: Literal["module", "script"] | Missing = MISSING


class Checked(NamedTuple):
    """What `check` found: the dialect, the evaluated `meta` literal (None without one)."""

    dialect: Literal["module", "script"]
    meta: Json


class Drained(NamedTuple):
    """Everything the workflow did since the last message, and where it stands.

    `output` is `MISSING` until `complete`; `stalled` means it can never complete; `more` that the next
    message will be answered with a failure, which these calls and requests came before.
    """

    calls: list[Call]
    requests: list[Request]
    complete: bool
    output: Json | Missing = MISSING
    stalled: bool = False
    diagnostics: tuple[dict[str, Json], ...] = ()
    more: bool = False
