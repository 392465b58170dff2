"""The page of a kept run, as a fold of its record: whole once, and what is new as its entries come."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flowcage.host.durable.records import WITHHELD, Ending, Entry, NewWorkflow, RunRecord, Summary
from flowcage.host.events.event import EVENT_TYPES, Event
from flowcage.host.events.records import AgentFailed, AgentQueued, ChildEnded, Diagnosed, PhaseEntered
from flowcage.host.page.cutting import CAPS, Caps
from flowcage.host.page.document import Page
from flowcage.host.page.material import Material, PageWorkflow, iso
from flowcage.host.resume.looking.story import CallsFold
from flowcage.host.resume.looking.telling import Telling
from flowcage.host.run.core.agents.spending import Costs, counts_of
from flowcage.host.run.core.inputs import Ended, Opened
from flowcage.host.run.core.tree import request_of
from flowcage.host.run.node import run_id_below
from flowcage.host.run.past import interrupted
from flowcage.host.run.reporting import census_of
from flowcage.protocol import strictjson
from flowcage.protocol.messages import MISSING, Json, Missing

_TEXT = 16_000  # characters of a run's error


class About(NamedTuple):
    """What the source of a workflow says about itself.

    Attributes:
        meta: as it exports it; None where it has none, or it was not read.
        outline: of its calls; `MISSING` where it was not made.
    """

    meta: Json = None
    outline: Json | Missing = MISSING


class PageFold:
    """The page of one run.

    Args:
        record: of the run, as a store has it.
        about: what its sources say, by path.
        places: line and column of its calls, by id.
        caps: on texts and lines.

    Raises:
        DamagedEntry: its log is none of a run's.
    """

    def __init__(
        self,
        record: RunRecord,
        *,
        about: Mapping[str, About] | None = None,
        places: Mapping[str, tuple[int | None, int | None]] | None = None,
        caps: Caps = CAPS,
    ) -> None:
        self._about = about or {}
        self._calls = CallsFold(Telling(record.summary, record.rules))
        self._material = Material(caps, calls=self._calls.calls, places=places or {})
        self._material.changed = self._calls.changed
        self._page = Page(self._material, caps)
        self._paths = {record.summary.run_id: ""}
        self._kept: dict[str, NewWorkflow] = {}
        self._summary = record.summary
        self._ending: Ending | None = None
        self._has_ended = False
        self._material.args = _args_of(record.workflows.get(""))
        for phase in _declared(self._about.get("", About()).meta):
            self._material.enter(phase.get("title"), phase)
        self._begin(record.workflows)
        self._take_in(record.entries)
        self._stand(record.summary, record.ending)

    @property
    def next(self) -> int:
        """Number of the entry that comes next."""
        return self._calls.telling.next

    @property
    def summary(self) -> Summary:
        """As the run stood last."""
        return self._summary

    def lacks(self, entries: Sequence[Entry]) -> bool:
        """Whether these begin workflows whose sources were not given yet, or others before them have.

        A source is kept once the workflow's child is there, which may be long after it was opened.
        """
        opened = [each.input.path for each in entries if isinstance(each.input, Opened)]
        waiting = [
            path
            for path, each in self._material.workflows.items()
            if each.source is None and each.state == "running" and each.verdict is None
        ]
        return any(path not in self._kept for path in (*opened, *waiting))

    def whole(self) -> dict[str, Any]:
        """The document; `flowcage.host.page.document` describes it."""
        return self._page.whole()

    def call(self, identifier: str) -> dict[str, Any] | None:
        """One call with all of its texts; None where there is none."""
        return self._page.call(identifier)

    def take(
        self,
        entries: Sequence[Entry],
        summary: Summary | None = None,
        *,
        ending: Ending | None = None,
        workflows: Mapping[str, NewWorkflow] | None = None,
    ) -> dict[str, Any]:
        """Take in what is new of the run: the delta.

        Args:
            entries: from number `next` on.
            summary: how it stands now; None where it stands as before.
            ending: how it ended, if it has.
            workflows: of its tree, where new ones have begun.

        Raises:
            DamagedEntry: the entries do not follow on those before.
        """
        self._begin(workflows or {})
        self._take_in(entries)
        self._stand(summary or self._summary, ending)
        return self._page.delta()

    def _begin(self, workflows: Mapping[str, NewWorkflow]) -> None:
        self._kept |= workflows
        for path, kept in workflows.items():
            if (known := self._material.workflows.get(path)) is not None:
                known.source, known.modules = kept.source, kept.modules

    def _take_in(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            given = entry.input
            if isinstance(given, Opened):
                self._open(given)
            for event in self._calls.take(entry):
                self._hear(event)
            if isinstance(given, Ended) and (workflow := self._material.workflows.get(given.path)):
                workflow.state = "ended"

    def _open(self, opened: Opened) -> None:
        path, root = opened.path, self._summary.run_id
        run_id = run_id_below(root, path) if path else root
        parent, kept = request_of(path) if path else None, self._kept.get(path)
        source, modules = (None, {}) if kept is None else (kept.source, dict(kept.modules))
        self._paths[run_id] = path
        outline = self._about.get(path, About()).outline
        self._material.workflows[path] = PageWorkflow(
            path, run_id, opened.source_name, source, parent, outline=outline, modules=modules
        )

    def _hear(self, event: Event) -> None:
        found = self._material
        path = self._paths.get(event.run_id, "")
        found.tell(event, path, getattr(event, "TYPE", "") or EVENT_TYPES[type(event)])
        match event:
            case PhaseEntered():
                found.enter(event.name, event.options)
            case AgentQueued():
                found.enter(event.phase)
            case Diagnosed():
                found.diagnose(event.diagnostic)
            case AgentFailed(will_retry=False):
                told = {"kind": "agent_failed", "message": event.message, "id": event.request_id}
                found.diagnose(told | {"path": path})
            case ChildEnded():
                below = self._paths.get(event.child_run_id, "")
                if (workflow := found.workflows.get(below)) is not None:
                    workflow.verdict = str(event.verdict)

    def _stand(self, summary: Summary, ending: Ending | None) -> None:
        found, core = self._material, self._calls.telling.core
        self._summary, self._ending = summary, ending or self._ending
        self._calls.end(summary)
        was_told = set(found.pending)
        found.pending = {each.id: _costs(each) for each in interrupted.charges(core.tree)}
        found.changed |= (was_told | set(found.pending)) & self._calls.calls.keys()
        found.lives = self._calls.telling.life
        found.census, found.costs = census_of(core.tree.totals), core.tree.totals
        self._end_root()
        now = time.time() * 1000
        found.as_of = iso(now) or ""
        found.head = self._head(now)

    def _end_root(self) -> None:
        ending, state = self._ending, self._summary.state
        if state in ("ended", "diverged") and ending is not None:
            self._material.result = ending.result
            last = self._calls.telling.end_of(self._summary, ending)
            if last is not None and not self._has_ended:
                self._has_ended = True
                self._hear(last)
        if state not in ("ended", "diverged") and self._has_ended:  # it was taken up again
            self._has_ended, self._ending, self._material.result = False, None, MISSING
        if (root := self._material.workflows.get("")) is not None:
            root.state = "ended" if state in ("ended", "diverged") else "running"
            root.verdict = self._summary.verdict

    def _head(self, now: float) -> dict[str, Any]:
        run, ending = self._summary, self._ending
        is_over = run.state in ("ended", "diverged")
        until = run.updated_at if is_over or run.is_abandoned else now
        meta = self._about.get("", About()).meta
        name = meta.get("name") if isinstance(meta, dict) else None
        return {
            "id": run.run_id,
            "tenant": run.tenant,
            "name": name if isinstance(name, str) and name else run.source_name,
            "sourceName": run.source_name,
            "state": "abandoned" if run.is_abandoned else run.state,
            "verdict": run.verdict if is_over else None,
            "error": None if ending is None else error_json(ending.error),
            "createdAt": iso(run.created_at),
            "endedAt": iso(run.updated_at) if is_over else None,
            "seconds": round(max(0.0, until - run.created_at) / 1000, 3),
            "forkedFrom": run.forked_from,
            "wakeAt": iso(run.wake_at),
            "cancel": None if run.cancel is None else _cancel(run.cancel.at, run.cancel.reason),
            "pool": run.pool,
            "priority": run.priority,
            "held": run.held[:_TEXT],
            "takeovers": run.takeovers,
        }


def error_json(error: Json) -> dict[str, Json] | None:
    """What a store has as the error of a run, with its texts cut; None where there is none."""
    if error is None:
        return None
    if not isinstance(error, dict):
        return {"kind": "unknown", "message": str(error)[:_TEXT]}
    names = ("kind", "message", "stack", "place")
    told = {name: text[:_TEXT] for name in names if isinstance(text := error.get(name), str)}
    return {"kind": "unknown", "message": "", **told}


def _declared(meta: Json) -> list[dict[str, Json]]:
    """The phases that a workflow's `meta` has."""
    phases = meta.get("phases") if isinstance(meta, dict) else None
    return [each for each in phases if isinstance(each, dict)] if isinstance(phases, list) else []


def _cancel(at: int, reason: str) -> dict[str, Json]:
    return {"at": iso(at), "reason": reason[:_TEXT]}


def _args_of(root: NewWorkflow | None) -> Json:
    if root is None or root.args is None or root.args == WITHHELD:
        return {}
    try:
        value: Json = strictjson.loads(root.args.encode("utf-8", "surrogatepass"))
    except ValueError:  # of a damaged store
        return root.args
    return value


def _costs(charged: Any) -> Costs:
    costs = Costs()
    costs.charge(charged.spent, counts_of(charged.facts))
    return costs
