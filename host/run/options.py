"""What a caller may set for a run, and the handlers that answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.mock.echo import echo
from flowcage.host.agents.people import AskHandler
from flowcage.host.events.records import Listener
from flowcage.host.process.launch.launcher import Launcher
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.run.arguments import (
    require_callable,
    require_choice,
    require_json,
    require_modules,
    require_type,
)
from flowcage.host.run.core.rules import AGENT_FAILURES, AgentFailure, Rules
from flowcage.host.run.limits import limits_of_host, refuse_absurd_of_host
from flowcage.protocol.limits import MAX_LIMIT, MIB, Limits, refuse_absurd
from flowcage.protocol.messages import (
    DIALECTS,
    ISOLATIONS,
    NO_MODULES,
    Dialect,
    Isolation,
    Json,
    Missing,
    SandboxExecRequest,
    WorkflowRequest,
)


class KeptChild(NamedTuple):
    """A child workflow as a store has it. `args` are `MISSING` where prompts are not stored."""

    source: str
    source_name: str
    args: Json | Missing
    modules: Mapping[str, str] = NO_MODULES


class Caller(Protocol):
    """The workflow that called ``workflow()``, as its handler sees it.

    Attributes:
        id: the run's name in events.
        source_name: name of the source in stacks; a path where the workflow came from a file.
        depth: 0 for a run the host started, 1 for a child workflow of it.
        kept: the child workflow that the next `run_child` goes on with, whatever source that is given: one
            that this request had started before the host ended. None for a new one.
    """

    @property
    def id(self) -> str: ...
    @property
    def source_name(self) -> str: ...
    @property
    def depth(self) -> int: ...
    @property
    def kept(self) -> KeptChild | None: ...

    async def run_child(
        self, source: str, source_name: str, args: Json, modules: Mapping[str, str] = NO_MODULES
    ) -> Json:
        """Run a child workflow with the caller's slots, tokens, limits and cancellation.

        Args:
            source, source_name, args: of the child workflow.
            modules: as of `RunOptions`, for this source.

        Raises:
            RunError: as `run_workflow`. Where what all share is used up, the whole run ends with that.
            TypeError, ValueError: an argument is of the wrong type, or `args` are no JSON.
        """


# Answers ``workflow(ref, args)``.
WorkflowHandler: TypeAlias = Callable[[Caller, WorkflowRequest], Awaitable[Json]]
SandboxExecHandler: TypeAlias = Callable[[SandboxExecRequest], Awaitable[Json]]
# What becomes of a program that was at work when its host ended.
OnInterrupted: TypeAlias = Literal["again", "reject"]
ON_INTERRUPTED: tuple[OnInterrupted, ...] = ("again", "reject")


class Handlers(NamedTuple):
    """Who answers a workflow's requests; as the fields of `RunOptions` by the same names."""

    agent: Agent = echo
    workflow: WorkflowHandler | None = None
    sandbox_exec: SandboxExecHandler | None = None
    ask: AskHandler | None = None


@dataclass(frozen=True)
class RunOptions:
    """Everything about a run but its source. All limits are finite by default.

    Attributes:
        agent: answers ``agent()``; raise `RequestRejected` in it, or in the other handlers, to reject.
        agent_identity: name of who answers ``agent()``, such as a model with its version. A fork reuses no
            answer of another one; "" is the same for all runs.
        workflow: answers ``workflow()``; None rejects.
        sandbox_exec: answers ``SW.sandbox.exec()``; None rejects.
        ask: answers ``ask()`` of ``workflow:extra``. Without one, a run that a store keeps waits for an
            answer from outside, and in any other ``ask()`` rejects.
        on_interrupted: by profile of ``SW.sandbox.exec()``: where the host ended while a program was at work,
            it is run ``again`` when the run is gone on with, or its call is rejected (``reject``), as it may
            have run. ``again`` is that of profiles which are not named.
        dialect: ``auto``, ``module`` or ``script``.
        modules: sources that the workflow may import, by their names: the folder of the name of the source
            that has an import, joined with its specifier. `sibling_modules` reads them from files; they are
            kept with the run.
        isolation: None means ``strict`` on Linux.
        limits: of the child, and of each child workflow's; of these ``cpu_seconds`` holds for all together.
        timeout_seconds: wall clock of the whole run, without the time in which it was asleep or no host had
            it; the child is killed then.
        expires_seconds: of a run that a store keeps: so long after it was begun it is not woken, or gone on
            with, any more; None for never.
        answer_grace_seconds: how much longer than a step may take the child may be silent, before it is
            killed: some natives of the engine never look at the clock.
        max_received_bytes: all that the child may say in the run, child workflows included.
        max_agents: agents at work at once, child workflows included; further calls wait in order.
        max_total_agents: how often agents are asked in the whole run, child workflows included: each call,
            each retry and each second try counts. Further ones are refused, and a workflow that goes on
            asking is ended.
        max_children: child workflows at once, and as many sandboxed programs; further ones wait in order.
        max_total_children: child workflows in the whole run; further ones reject.
        budget_tokens: ceiling that the workflow sees in ``budget``; None for none.
        hard_budget: whether ``agent()`` is refused once the budget is spent; otherwise it only informs.
        max_cost_usd: ceiling on what the agents of the whole run cost, in US dollars: then ``agent()`` is
            refused. It is refused as well once an answer has come whose cost nobody knows. None for none.
        agent_failure: what an ``agent()`` call without an answer becomes: ``throw`` rejects, ``null`` gives
            null and a diagnostic. None is ``null`` for scripts and ``throw`` for modules.
        metadata: of whoever starts the run, for events and the report; any JSON.
        withhold_values: whether events leave out what agents answered.
        findings: whether diagnostics tell what is probably wrong with the source, as `check_workflow` finds
            it, when the run begins. It costs a second compilation, and is for children that the run itself
            starts: one that was prepared for any run has not loaded what it takes.
        listener: is called with each event, in order; it must not block.
        launcher: starts a child.
    """

    agent: Agent = echo
    workflow: WorkflowHandler | None = None
    sandbox_exec: SandboxExecHandler | None = None
    ask: AskHandler | None = None
    on_interrupted: Mapping[str, OnInterrupted] = field(default_factory=dict)
    dialect: Dialect = "auto"
    isolation: Isolation | None = None
    limits: Limits = field(default_factory=Limits)
    timeout_seconds: float = 3600.0
    expires_seconds: float | None = None
    answer_grace_seconds: float = 5.0
    max_received_bytes: int = 1024 * MIB
    max_agents: int = 16
    max_total_agents: int = 1000
    max_children: int = 4
    max_total_children: int = 1000
    budget_tokens: int | None = None
    hard_budget: bool = True
    max_cost_usd: float | None = None
    agent_failure: AgentFailure | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    withhold_values: bool = False
    findings: bool = False
    listener: Listener | None = None
    launcher: Launcher = field(default_factory=Spawn)
    agent_identity: str = ""
    modules: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._require_types()
        refuse_absurd(self.limits)
        refuse_absurd_of_host(limits_of_host(self))
        if self.expires_seconds is not None:
            refuse_absurd_of_host({"expires_seconds": self.expires_seconds})
        tokens = self.budget_tokens
        if tokens is not None and not (type(tokens) is int and 0 <= tokens <= MAX_LIMIT):
            raise ValueError(f"budget_tokens must be a whole number from 0 to {MAX_LIMIT}, not {tokens!r}")

        if self.max_cost_usd is not None:
            refuse_absurd_of_host({"max_cost_usd": self.max_cost_usd})

    def rules(self, handlers: frozenset[str]) -> Rules:
        """What the core decides by.

        Args:
            handlers: names of the kinds of request that are answered.
        """
        return Rules(
            max_agents=self.max_agents,
            max_total_agents=self.max_total_agents,
            max_children=self.max_children,
            max_total_children=self.max_total_children,
            budget_tokens=self.budget_tokens,
            hard_budget=self.hard_budget,
            max_sleep_ms=self.limits.max_sleep_ms,
            agent_failure=self.agent_failure,
            handlers=handlers,
            watched=self.listener is not None,
            max_cost_usd=self.max_cost_usd,
            paced=True,
            shared=True,
        )

    def _require_types(self) -> None:
        require_type("limits", self.limits, Limits)
        require_callable("agent", self.agent)
        require_type("agent_identity", self.agent_identity, str)
        for name in ("workflow", "sandbox_exec", "ask", "listener"):
            if getattr(self, name) is not None:
                require_callable(name, getattr(self, name))
        require_callable("launcher.launch", getattr(self.launcher, "launch", None))
        require_type("on_interrupted", self.on_interrupted, Mapping)
        for profile, choice in self.on_interrupted.items():
            require_choice(f"on_interrupted[{profile!r}]", choice, ON_INTERRUPTED)
        require_choice("dialect", self.dialect, DIALECTS)
        require_modules(self.modules)
        if self.isolation is not None:
            require_choice("isolation", self.isolation, ISOLATIONS)
        if self.agent_failure is not None:
            require_choice("agent_failure", self.agent_failure, AGENT_FAILURES)
        require_type("metadata", self.metadata, Mapping)
        if self.metadata:
            require_json("metadata", dict(self.metadata))
