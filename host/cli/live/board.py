"""A run as a person follows it: the fold of its events to workflows, phases and agents at work.

The events are those of a live run, or those that a store tells anew; a board takes both in one order. It
depends on nothing else: two boards with the same events are equal, whenever these came. Times are those of
the events, in seconds since the run began.

What a board holds is bounded by the calls that are open and by `_MOST_PHASES`, whatever a workflow does.
"""

from __future__ import annotations

from flowcage.host.agents.answer import AgentUsage, tokens_of
from flowcage.host.cli.live.names import Names
from flowcage.host.cli.live.workflow import Agent, Phase, Wait, Workflow, bounded
from flowcage.host.events import records
from flowcage.host.events.records import Event
from flowcage.host.resume.looking.telling import Left, Resumed

# Of all workflows of a run; calls of further ones are counted in a phase of this name.
_MOST_PHASES = 1000
_FURTHER = "further phases"


class Board:
    """Of one run.

    Attributes:
        root: its workflow; None before the first event.
        at: of the last event.
        lives: how often it was taken up, with the first time.
        asleep: None, or until when it has no process; "" where only an answer wakes it.
        missing: events that were not told.
        left: where the process that had it is gone, since when it is known of nobody.
    """

    def __init__(self) -> None:
        self.root: Workflow | None = None
        self.run_id = ""
        self.at = 0.0
        self.lives = 1
        self.asleep: str | None = None
        self.missing = 0
        self.left: float | None = None
        self._workflows: dict[str, Workflow] = {}
        self._names = Names()
        self._phases = 0

    def take(self, event: Event) -> None:
        """Take in the next event."""
        self.at = max(self.at, event.at)
        if isinstance(event, records.Gap):
            self.missing += event.dropped
            return
        workflow = self._workflow(event)
        if not self._take_of_run(event):
            self._take_of_workflow(workflow, event)

    def _take_of_run(self, event: Event) -> bool:
        """Take in what is about the run as a whole; False for another event."""
        match event:
            case records.FellAsleep():
                self.asleep = event.wake_at or ""
            case records.Awoke():
                self.asleep = None
            case Resumed():
                self.lives, self.asleep, self.left = event.life, None, None
            case Left():
                self.left = event.at
            case _:
                return False
        return True

    def _take_of_workflow(self, workflow: Workflow, event: Event) -> None:
        match event:
            case records.RunStarted(source_name=name) if not workflow.name:
                workflow.name = bounded(name)
            case records.PhaseEntered():
                workflow.phase = bounded(event.name)
                self._phase(workflow, workflow.phase)
            case records.ChildStarted():
                self._begin_child(workflow, event)
            case records.ChildEnded():
                self._end(self._workflows.get(event.child_run_id), event.verdict, event.error)
            case records.RunEnded():
                self._end(workflow, event.verdict, event.error)
            case records.Sleeping():
                _sleep(workflow, event)
            case records.QuestionAsked():
                workflow.waits[event.request_id] = Wait(bounded(event.question), None, event.question_id)
            case records.QuestionAnswered():
                workflow.waits.pop(event.request_id, None)
            case _:
                self._take_of_agent(workflow, event)

    def _take_of_agent(self, workflow: Workflow, event: Event) -> None:
        match event:
            case records.AgentQueued():
                self._ask(workflow, event.request_id, event.phase, event.label or "")
            case records.AgentStarted():
                self._start(workflow, event)
            case records.AgentProgressed():
                if (agent := self._agent(workflow, event.request_id)) is not None:
                    _progress(agent, event)
            case records.AnswerRefused():
                self._refuse(workflow, event)
            case records.AgentCompleted() | records.AgentFailed() | records.AgentCancelled():
                self._settle(workflow, event)

    def _workflow(self, event: Event) -> Workflow:
        if self.root is None:
            self.run_id = event.root_run_id or event.run_id
            self.root = self._workflows[self.run_id] = Workflow("", event.at)
        workflow = self._workflows.get(event.run_id)
        if workflow is None:  # its beginning was not told
            workflow = self._workflows[event.run_id] = Workflow("?", event.at)
            self.root.children.append(workflow)
        return workflow

    def _begin_child(self, parent: Workflow, event: records.ChildStarted) -> None:
        if event.child_run_id in self._workflows:  # it is told again, since the run was taken up
            return
        name = self._names.begin(event.child_run_id, bounded(event.source_name))
        child = Workflow(name, event.at, parent.phase)
        self._workflows[event.child_run_id] = child
        parent.children.append(child)

    def _end(self, workflow: Workflow | None, verdict: str, error: str | None) -> None:
        if workflow is None or (workflow.verdict is not None and workflow is not self.root):
            return
        workflow.verdict, workflow.ended = str(verdict), self.at
        workflow.error = None if error is None else bounded(error)
        if workflow is self.root:
            self.asleep = None
        for each in workflow.tree():
            each.waits.clear()
            each.calls.clear()
            for phase in each.phases.values():
                phase.cancelled += len(phase.queued) + len(phase.working)
                phase.queued.clear()
                phase.working.clear()

    def _phase(self, workflow: Workflow, title: str | None) -> Phase:
        title = bounded(title or "")
        phase = workflow.phases.get(title)
        if phase is None:
            if self._phases >= _MOST_PHASES:
                title = _FURTHER
            self._phases += 1
            phase = workflow.phases.setdefault(title, Phase(title, self.at, self.at))
        return phase

    def _ask(self, workflow: Workflow, request: str, title: str | None, name: str) -> Phase:
        phase = workflow.calls.get(request)
        if phase is None:
            phase = workflow.calls[request] = self._phase(workflow, title)
            if not phase.total:
                phase.began = self.at
            phase.total += 1
            phase.queued[request] = bounded(name)
        return phase

    def _start(self, workflow: Workflow, event: records.AgentStarted) -> None:
        phase = self._ask(workflow, event.request_id, event.phase, event.label or "")
        phase.queued.pop(event.request_id, None)
        name = bounded(event.label or event.prompt.split("\n", 1)[0])
        phase.working[event.request_id] = Agent(name, event.at, event.attempt, event.model)

    def _agent(self, workflow: Workflow, request: str) -> Agent | None:
        phase = workflow.calls.get(request)
        return None if phase is None else phase.working.get(request)

    def _refuse(self, workflow: Workflow, event: records.AnswerRefused) -> None:
        phase = workflow.calls.get(event.request_id)
        if phase is None:
            return
        tokens = tokens_of(event.tokens, event.usage)
        phase.charge(tokens, event.cost_usd)
        if (agent := phase.working.get(event.request_id)) is not None:
            agent.settled += tokens
            agent.settled_usd += event.cost_usd or 0.0
            agent.word = "answer refused, asked again"

    def _settle(
        self,
        workflow: Workflow,
        event: records.AgentCompleted | records.AgentFailed | records.AgentCancelled,
    ) -> None:
        phase = workflow.calls.get(event.request_id)
        if phase is None:
            return
        agent = phase.working.pop(event.request_id, None)
        name = phase.queued.pop(event.request_id, "")
        phase.ended = event.at
        if not (isinstance(event, records.AgentFailed) and event.will_retry):
            del workflow.calls[event.request_id]
        match event:
            case records.AgentCompleted():
                phase.answered += 1
                phase.reused += event.cached
            case records.AgentFailed(will_retry=True):
                phase.queued[event.request_id] = agent.name if agent is not None else name
            case records.AgentFailed():
                phase.failed += 1
            case _:
                phase.cancelled += 1
        if not isinstance(event, records.AgentCancelled) and not getattr(event, "cached", False):
            phase.charge(tokens_of(event.tokens, event.usage), event.cost_usd)


def _sleep(workflow: Workflow, event: records.Sleeping) -> None:
    """Note a sleep. Its end has no event, so those that are over are left out here."""
    over = [
        name for name, wait in workflow.waits.items() if wait.until is not None and wait.until <= event.at
    ]
    for name in over:
        del workflow.waits[name]
    workflow.waits[event.request_id] = Wait("sleep", event.at + event.duration_ms / 1000)


def _progress(agent: Agent, event: records.AgentProgressed) -> None:
    if event.text is not None:
        agent.word = bounded(event.text)
    if isinstance(event.usage, AgentUsage):
        agent.spent = tokens_of(0, event.usage)
    if event.cost_usd is not None:
        agent.cost_usd = event.cost_usd
    if event.model is not None:
        agent.model = bounded(event.model)
