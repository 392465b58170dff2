"""What a caller may set for a run, and the handlers that answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from flowcage.host.agents.base import Agent
from flowcage.host.agents.echo import echo
from flowcage.host.events.records import Listener
from flowcage.host.process.launch.launcher import Launcher
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.run.arguments import require_callable, require_choice, require_type
from flowcage.host.run.limits import limits_of_host, refuse_absurd_of_host
from flowcage.protocol.limits import MAX_LIMIT, MIB, Limits, refuse_absurd
from flowcage.protocol.messages import (
    DIALECTS,
    ISOLATIONS,
    Dialect,
    Isolation,
    Json,
    SandboxExecRequest,
    WorkflowRequest,
)

if TYPE_CHECKING:
    from flowcage.host.run.run import Run

# Answers ``workflow(ref, args)``; `Run.run_child` runs a child workflow on the parent's account.
WorkflowHandler: TypeAlias = Callable[["Run", WorkflowRequest], Awaitable[Json]]
SandboxExecHandler: TypeAlias = Callable[[SandboxExecRequest], Awaitable[Json]]


class Handlers(NamedTuple):
    """Who answers a workflow's requests; as the fields of `RunOptions` by the same names."""

    agent: Agent = echo
    workflow: WorkflowHandler | None = None
    sandbox_exec: SandboxExecHandler | None = None


@dataclass(frozen=True)
class RunOptions:
    """Everything about a run but its source. All limits are finite by default.

    Attributes:
        agent: answers ``agent()``; raise `RequestRejected` in it, or in the other handlers, to reject.
        workflow: answers ``workflow()``; None rejects.
        sandbox_exec: answers ``SW.sandbox.exec()``; None rejects.
        dialect: ``auto``, ``module`` or ``script``.
        isolation: None means ``strict`` on Linux.
        limits: of the child, and of each child workflow's; of these ``cpu_seconds`` holds for all together.
        timeout_seconds: wall clock of the whole run; the child is killed then.
        answer_grace_seconds: how much longer than a step may take the child may be silent, before it is
            killed: some natives of the engine never look at the clock.
        max_received_bytes: all that the child may say in the run, child workflows included.
        max_agents: agents at work at once, child workflows included; further calls wait in order.
        max_total_agents: ``agent()`` calls in the whole run, child workflows included; further ones reject.
        max_children: child workflows at once, and as many sandboxed programs; further ones wait in order.
        max_total_children: child workflows in the whole run; further ones reject.
        budget_tokens: ceiling that the workflow sees in ``budget``; None for none.
        hard_budget: whether ``agent()`` rejects once the budget is spent; otherwise it only informs.
        listener: is called with each event, in order; it must not block.
        launcher: starts a child.
    """

    agent: Agent = echo
    workflow: WorkflowHandler | None = None
    sandbox_exec: SandboxExecHandler | None = None
    dialect: Dialect = "auto"
    isolation: Isolation | None = None
    limits: Limits = field(default_factory=Limits)
    timeout_seconds: float = 3600.0
    answer_grace_seconds: float = 5.0
    max_received_bytes: int = 1024 * MIB
    max_agents: int = 16
    max_total_agents: int = 1000
    max_children: int = 4
    max_total_children: int = 1000
    budget_tokens: int | None = None
    hard_budget: bool = False
    listener: Listener | None = None
    launcher: Launcher = field(default_factory=Spawn)

    def __post_init__(self) -> None:
        self._require_types()
        refuse_absurd(self.limits)
        refuse_absurd_of_host(limits_of_host(self))
        tokens = self.budget_tokens
        if tokens is not None and not (type(tokens) is int and 0 <= tokens <= MAX_LIMIT):
            raise ValueError(f"budget_tokens must be a whole number from 0 to {MAX_LIMIT}, not {tokens!r}")
        if self.hard_budget and self.budget_tokens is None:
            raise ValueError("hard_budget needs a budget; set budget_tokens")

    def _require_types(self) -> None:
        require_type("limits", self.limits, Limits)
        require_callable("agent", self.agent)
        for name in ("workflow", "sandbox_exec", "listener"):
            if getattr(self, name) is not None:
                require_callable(name, getattr(self, name))
        require_callable("launcher.launch", getattr(self.launcher, "launch", None))
        require_choice("dialect", self.dialect, DIALECTS)
        if self.isolation is not None:
            require_choice("isolation", self.isolation, ISOLATIONS)
