"""The page of a run from its events: what a listener is told, without sources, args and result."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.events import records
from flowcage.host.events.event import EVENT_TYPES, Event
from flowcage.host.outcome.report import Census
from flowcage.host.page.cutting import CAPS, Caps
from flowcage.host.page.document import Page
from flowcage.host.page.material import Material, PageWorkflow, iso
from flowcage.host.page.recorded.calls import call_of, take_in
from flowcage.host.resume.looking.calls import CallAttempt, RunCall
from flowcage.host.resume.looking.telling import Resumed
from flowcage.host.run.core.agents.spending import Costs, Counts
from flowcage.host.run.core.inputs import Spent
from flowcage.protocol.messages import WorkflowRequest

_OPEN = ("queued", "open")


class EventsPage:
    """The page of one run.

    Args:
        caps: on texts and lines.
    """

    def __init__(self, caps: Caps = CAPS) -> None:
        self._calls: dict[str, RunCall] = {}
        self._material = Material(caps, calls=self._calls)
        self._page = Page(self._material, caps)
        self._paths: dict[str, str] = {}
        self._children: dict[str, int] = {}
        self._ended: records.RunEnded | None = None
        self._first: Event | None = None
        self._last: Event | None = None

    def take(self, event: Event) -> None:
        """Take in the next event."""
        if self._first is None:
            self._first = event
            self._open("", event.root_run_id or event.run_id, "")
        self._last = event
        path = self._paths.get(event.run_id, "")
        self._material.tell(event, path, getattr(event, "TYPE", "") or EVENT_TYPES[type(event)])
        self._take_of_run(event, path)
        if (identifier := getattr(event, "request_id", None)) is not None:
            self._take_of_call(event, path, identifier)

    def whole(self) -> dict[str, Any]:
        """The document; `flowcage.host.page.document` describes it."""
        found = self._material
        total = Costs()
        for call in self._calls.values():
            total.add(call.costs)
        found.costs, found.head = total, self._head()
        found.census = self._census()
        return self._page.whole()

    # ---- the run -------------------------------------------------------------------------------

    def _open(self, path: str, run_id: str, source_name: str, parent: str | None = None) -> None:
        self._paths[run_id] = path
        self._material.workflows[path] = PageWorkflow(path, run_id, source_name, parent=parent)

    def _take_of_run(self, event: Event, path: str) -> None:
        match event:
            case records.RunStarted() if (workflow := self._material.workflows.get(path)) is not None:
                workflow.source_name = event.source_name
            case records.ChildStarted():
                self._begin_child(event, path)
            case records.ChildEnded():
                self._end_child(event)
            case records.PhaseEntered():
                self._material.enter(event.name, event.options)
            case records.Diagnosed():
                self._material.diagnose(event.diagnostic)
            case Resumed():
                self._material.lives = event.life
            case records.RunEnded() if not path:
                self._end(event)

    def _begin_child(self, event: records.ChildStarted, path: str) -> None:
        """Which request has asked for it is in no event, so it has a number of its own."""
        number = self._children[path] = self._children.get(path, 0) + 1
        name = f"w{number}"
        below = f"{path}/{name}" if path else name
        request = WorkflowRequest(name, event.source_name)
        call = RunCall(below, path, "workflow", request, None, None, event.at, "open")
        call.attempts.append(CallAttempt(1, event.at))
        self._calls[below] = call
        self._material.changed.add(below)
        self._open(below, event.child_run_id, event.source_name, below)

    def _end_child(self, event: records.ChildEnded) -> None:
        path = self._paths.get(event.child_run_id)
        if not path:
            return
        workflow, call = self._material.workflows[path], self._calls[path]
        workflow.state, workflow.verdict = "ended", str(event.verdict)
        call.state = "failed" if event.error else "answered"
        call.error, call.ended = event.error, event.at
        call.attempts[-1].ended = event.at
        self._material.changed.add(path)

    def _end(self, event: records.RunEnded) -> None:
        self._ended = event
        for call in self._calls.values():
            if call.state in _OPEN:
                call.state = "done" if call.kind == "sleep" else "cancelled"
                call.ended = event.at
                self._material.changed.add(call.id)
        root = self._material.workflows[""]
        root.state, root.verdict = "ended", str(event.verdict)

    def _head(self) -> dict[str, Any]:
        root, ended = self._material.workflows.get(""), self._ended
        first, last = self._first, self._last
        if root is None or first is None or last is None:
            raise ValueError("there is no event")
        begun = _milliseconds(first.time)
        created = None if begun is None else begun - 1000 * first.at
        error = None if ended is None or ended.error is None else ended.error
        self._material.as_of = iso(None if created is None else created + 1000 * last.at) or ""
        return {
            "id": root.run_id,
            "tenant": first.tenant,
            "name": root.source_name or root.run_id,
            "sourceName": root.source_name,
            "state": "running" if ended is None else "ended",
            "verdict": None if ended is None else str(ended.verdict),
            "error": None if error is None or ended is None else _error(str(ended.verdict), error),
            "createdAt": iso(created),
            "endedAt": None if ended is None or created is None else iso(created + 1000 * ended.at),
            "seconds": round(last.at, 3),
            "forkedFrom": None,
            "pool": None,
            "priority": 0,
            "held": "",
            "takeovers": 0,
            "wakeAt": None,
            "cancel": None,
        }

    def _census(self) -> Census:
        if self._ended is not None and self._ended.census != Census():
            return self._ended.census
        agents = [call for call in self._calls.values() if call.kind == "agent"]
        begun = [call for call in agents if call.attempts]
        return Census(
            started=len(begun),
            completed=_count(begun, "answered"),
            failed=_count(begun, "failed"),
            refused=_count(agents, "refused"),
            cancelled=_count(agents, "cancelled"),
            reused=sum(call.reused for call in agents),
        )

    # ---- calls ---------------------------------------------------------------------------------

    def _take_of_call(self, event: Any, path: str, request_id: str) -> None:
        identifier = f"{path}/{request_id}" if path else request_id
        call = self._calls.get(identifier)
        if call is None:
            call = self._calls[identifier] = call_of(event, identifier, path)
            self._material.enter(call.phase)
        self._material.changed.add(identifier)
        take_in(call, event)
        self._charge(call, event)

    def _charge(self, call: RunCall, event: Any) -> None:
        pending = self._material.pending
        if isinstance(event, records.AgentProgressed):
            if event.usage is not None or event.cost_usd is not None:
                pending[call.id] = _costs(event.usage, 0, event.cost_usd)
            return
        if isinstance(event, records.AgentStarted):
            return
        told = pending.pop(call.id, None)
        if not call.attempts or call.reused:
            return
        costs = call.attempts[-1].costs
        if isinstance(event, records.AgentCompleted | records.AgentFailed | records.AnswerRefused):
            costs.add(_costs(event.usage, event.tokens, event.cost_usd))
        elif isinstance(event, records.AgentCancelled):  # has no tokens in detail
            is_told = told is not None and event.tokens in (0, told.tokens)
            costs.add(told if told is not None and is_told else _costs(None, event.tokens, event.cost_usd))


def _costs(usage: AgentUsage | None, tokens: int, cost_usd: float | None) -> Costs:
    costs = Costs()
    counts = None if usage is None else Counts(usage.input, usage.output, usage.cache_read, usage.cache_write)
    count = tokens or (0 if usage is None else usage.input + usage.output)
    costs.charge(Spent(count, cost_usd), counts)
    return costs


def _count(calls: Iterable[RunCall], state: str) -> int:
    return sum(call.state == state and not call.reused for call in calls)


def _error(kind: str, message: str) -> dict[str, str]:
    return {"kind": kind, "message": message}


def _milliseconds(time: str) -> float | None:
    try:
        told = datetime.fromisoformat(time)
    except ValueError:
        return None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1000
