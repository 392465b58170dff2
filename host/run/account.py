"""What a run and its child workflows share: agent slots, tokens, the count of agents, an allowance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from flowcage.host.agents.schema import checker
from flowcage.host.agents.schema.checks import SchemaChecks
from flowcage.host.outcome.errors import RequestRejected
from flowcage.host.outcome.report import PhaseUsage
from flowcage.host.process.allowance import Allowance
from flowcage.host.run.slots import CallQueue, Slots
from flowcage.protocol.messages import Budget

if TYPE_CHECKING:
    from flowcage.host.process.supervisor import Child
    from flowcage.host.run.options import RunOptions

# Phases have names that workflows choose, so what is kept by phase has bounds.
MAX_PHASES = 100
MAX_PHASE_NAME = 200
OTHER_PHASES = "(other phases)"


@dataclass
class _Tally:
    agents: int = 0
    completed: int = 0
    failed: int = 0
    tokens: int = 0


class Account:
    """One per top-level run.

    Args:
        options: of the run; its limits on agents and its budget count here.
        tenant: slots that the agents of several runs share; each agent needs one beside its run's own.
        process: entered with the id of each child and the memory it inherited, and left when it has ended.
        checkers: slots that the checks of several runs' schemas share.

    Attributes:
        schemas: applies the schemas that the workflow brings; what that takes is charged here.
    """

    def __init__(
        self,
        options: RunOptions,
        tenant: Slots | None = None,
        process: Callable[[int, int], AbstractContextManager[None]] = lambda _pid, _inherited: nullcontext(),
        checkers: trio.CapacityLimiter | None = None,
    ) -> None:
        self.agents = CallQueue(options.max_agents, tenant)
        self._process = process
        self.allowance = Allowance(
            options.limits.cpu_seconds, options.max_received_bytes, options.max_total_children
        )
        self.refused = 0
        self._admitted = 0
        self._max_total = options.max_total_agents
        self._budget_tokens = options.budget_tokens
        self._hard_budget = options.hard_budget
        slots = checkers or trio.CapacityLimiter(checker.AT_ONCE)
        self.schemas = SchemaChecks(checker.Checker(slots, options.isolation, process, self.charge_cpu))
        self._total = _Tally()
        self._phases: dict[str, _Tally] = {}

    @property
    def cpu_seconds(self) -> float:
        """CPU of what has ended: children, and whatever else is charged to this run."""
        return self.allowance.cpu_seconds

    @contextmanager
    def process(self, child: Child) -> Iterator[None]:
        """Charge a child's memory and CPU while the block lasts; leave it when the child has ended."""
        with (
            self._process(child.pid, child.inherited_bytes),
            self.allowance.process(child.cpu_seconds),
        ):
            yield

    @property
    def budget(self) -> Budget:
        """What a workflow may know."""
        return Budget(self._budget_tokens, self._total.tokens)

    @property
    def started(self) -> int:
        """Agent calls that were begun; retries are the same call."""
        return self._total.agents

    @property
    def completed(self) -> int:
        """Agent calls with an answer."""
        return self._total.completed

    @property
    def failed(self) -> int:
        """Agent calls that were begun and rejected in the end."""
        return self._total.failed

    @property
    def by_phase(self) -> dict[str, PhaseUsage]:
        """What each phase cost; "" is for agents without one."""
        return {
            name: PhaseUsage(tally.agents, tally.failed, tally.tokens) for name, tally in self._phases.items()
        }

    def charge_cpu(self, seconds: float) -> None:
        """Count CPU that a process used for the run, once it is known."""
        self.allowance.charge_cpu(seconds)

    def admit(self) -> None:
        """Count one more ``agent()`` call.

        Raises:
            RequestRejected: there may be no more.
        """
        self.require_budget()
        if self._admitted >= self._max_total:
            raise RequestRejected(
                f"agent() is refused: this run and its child workflows have made all {self._max_total} "
                "agent calls that the limit maxTotalAgents allows"
            )
        self._admitted += 1

    def require_budget(self) -> None:
        """Raise `RequestRejected` where the budget is a hard one and spent."""
        total, spent = self._budget_tokens, self._total.tokens
        if self._hard_budget and total is not None and spent >= total:
            raise RequestRejected(f"agent() is refused: {spent} of the budget's {total} tokens are spent")

    def start(self, phase: str) -> None:
        """Count a call whose first attempt begins."""
        for tally in self._tallies(phase):
            tally.agents += 1

    def charge(self, phase: str, tokens: int) -> None:
        """Count what an agent reported, whatever became of its answer."""
        for tally in self._tallies(phase):
            tally.tokens += tokens

    def complete(self, phase: str) -> None:
        """Count a call with an answer."""
        for tally in self._tallies(phase):
            tally.completed += 1

    def fail(self, phase: str) -> None:
        """Count a call whose last attempt was rejected."""
        for tally in self._tallies(phase):
            tally.failed += 1

    def _tallies(self, phase: str) -> tuple[_Tally, _Tally]:
        phase = phase[:MAX_PHASE_NAME]
        if phase not in self._phases and len(self._phases) >= MAX_PHASES:
            phase = OTHER_PHASES
        return self._total, self._phases.setdefault(phase, _Tally())
