"""What a dry run asks for, call by call, by its events and by the agents that would have answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer, AgentUsage
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.compose.prices import load, price_of
from flowcage.host.agents.held import require_share
from flowcage.host.agents.honour import Examined, Examiner
from flowcage.host.events import records
from flowcage.host.events.records import Event
from flowcage.host.plan.estimate import most_asks, usage_of
from flowcage.host.plan.stubs import Stubs
from flowcage.protocol.messages import Json


@dataclass
class PlannedCall:
    """One ``agent()`` call of the dry run.

    Attributes:
        workflow: run id of the workflow that made it.
        id: of the request in its workflow.
        label, phase: of the call.
        prompt: its text.
        options: as the workflow gave them, with those of its phase.
        agent: name of the agent that would answer; None where none was chosen before it was refused.
        is_followed: whether that would follow its options, so that it costs something.
        model: that would be asked; None where the agent does not tell before it answers.
        effort, agent_type, isolation: of the call, with what its type of agent says.
        input_tokens, output_tokens: estimated.
        cost_usd: estimated; None where no price is known.
        by_fixture: whether its answer comes from the fixtures.
        refused: why it has no answer; None where it has one.
        asks: how often an agent would be asked at most.
    """

    workflow: str
    id: str
    label: str | None = None
    phase: str | None = None
    prompt: str = ""
    options: Mapping[str, Json] = field(default_factory=dict)
    agent: str | None = None
    is_followed: bool = False
    model: str | None = None
    effort: str | None = None
    agent_type: str | None = None
    isolation: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    by_fixture: bool = False
    refused: str | None = None
    asks: int = 1


@dataclass
class PlannedWorkflow:
    """A workflow of the dry run: the root, or one that it starts; `error` is why it has no result."""

    run_id: str
    source_name: str
    error: str | None = None


class Recorder:
    """Listens to a dry run, and answers it.

    Args:
        stubs: makes the answers.
        output_tokens: that are assumed for each of them.

    Attributes:
        calls: by workflow and request, in the order in which they were made.
        workflows: by run id.
        phases: names, in the order in which they were first entered.
        questions: what people would be asked.
        sleep_ms: how long the workflow would have waited in all.
    """

    def __init__(self, stubs: Stubs, output_tokens: int) -> None:
        self._stubs = stubs
        self._output_tokens = output_tokens
        self.calls: dict[tuple[str, str], PlannedCall] = {}
        self.workflows: dict[str, PlannedWorkflow] = {}
        self.phases: list[str] = []
        self.questions: list[str] = []
        self.sleep_ms = 0

    def agent(self, name: str, examine: Examiner, provider: str | None) -> Agent:
        """What answers in the place of an agent.

        Args:
            name: of the agent.
            examine: what it would make of a call.
            provider: who bills its tokens.
        """

        async def answer(call: AgentCall) -> AgentAnswer:
            planned = self._call(call.run_id, call.id)
            planned.agent = name
            examined = examine(call)
            planned.is_followed = True
            planned.model, planned.effort = examined.model, call.effort
            usage = usage_of(call, self._output_tokens)
            planned.input_tokens, planned.output_tokens = usage.input, usage.output
            planned.cost_usd = await _cost(examined, usage, provider)
            given, planned.by_fixture = self._stubs.answer(call, usage, planned.cost_usd)
            require_share(call, f"agent {name!r}", usd=given.cost_usd, tokens=given.tokens)
            return given

        return answer

    def listen(self, event: Event) -> None:
        """Take an event of the run."""
        match event:
            case records.RunStarted():
                self._workflow(event.run_id).source_name = event.source_name
            case records.ChildStarted():
                self._workflow(event.child_run_id).source_name = event.source_name
            case records.RunEnded():
                self._workflow(event.run_id).error = event.error
            case records.PhaseEntered():
                self._enter(event.name)
            case records.QuestionAsked():
                self.questions.append(event.question)
            case records.Sleeping():
                self.sleep_ms += event.duration_ms
            case _:
                self._listen_to_agents(event)

    def _listen_to_agents(self, event: Event) -> None:
        match event:
            case records.AgentQueued():
                call = self._call(event.run_id, event.request_id)
                call.label, call.phase = event.label, event.phase
                if event.phase is not None:
                    self._enter(event.phase)
            case records.AgentStarted():
                self._started(event)
            case records.AgentCompleted():
                self._call(event.run_id, event.request_id).refused = None
            case records.AgentFailed():
                self._call(event.run_id, event.request_id).refused = event.message

    def _started(self, event: records.AgentStarted) -> None:
        call = self._call(event.run_id, event.request_id)
        call.prompt, call.options, call.asks = event.prompt, event.options, most_asks(event.options)
        for name, option in (("agent_type", "agentType"), ("isolation", "isolation")):
            value = event.options.get(option)
            setattr(call, name, value if isinstance(value, str) else None)

    def _enter(self, phase: str) -> None:
        if phase not in self.phases:
            self.phases.append(phase)

    def _call(self, run_id: str, request_id: str) -> PlannedCall:
        return self.calls.setdefault((run_id, request_id), PlannedCall(run_id, request_id))

    def _workflow(self, run_id: str) -> PlannedWorkflow:
        return self.workflows.setdefault(run_id, PlannedWorkflow(run_id, ""))


async def _cost(examined: Examined, usage: AgentUsage, provider: str | None) -> float | None:
    if examined.costs_nothing:
        return 0.0
    if examined.model is None:
        return None
    await load()
    return price_of(usage, examined.model, provider)
