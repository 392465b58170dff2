"""What is known of a run, from whatever source, as a page document is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from flowcage.host.events.event import Event
from flowcage.host.events.records import Logged
from flowcage.host.outcome.report import Census
from flowcage.host.page import lines
from flowcage.host.page.cutting import CAPS, Caps
from flowcage.host.page.tail import Tail
from flowcage.host.resume.looking.calls import RunCall, costs_to_json
from flowcage.host.run.core.agents.spending import Costs
from flowcage.host.terminal.text import cut
from flowcage.protocol.messages import MISSING, Json, Missing

_PHASES, _DIAGNOSTICS = 500, 500
_TITLE, _MESSAGE = 200, 2_000  # characters


@dataclass
class PageWorkflow:
    """One workflow of a run's tree; `parent` is the id of the call that started it."""

    path: str
    run_id: str
    source_name: str
    source: str | None = None
    parent: str | None = None
    state: Literal["running", "ended"] = "running"
    verdict: str | None = None
    outline: Json | Missing = MISSING
    modules: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As the document has it."""
        told: dict[str, Any] = {
            "path": self.path,
            "runId": self.run_id,
            "sourceName": self.source_name,
            "source": self.source,
            "parent": self.parent,
            "state": self.state,
            "verdict": self.verdict,
        }
        if self.modules:
            told["modules"] = dict(self.modules)
        return told if self.outline is MISSING else told | {"outline": self.outline}


@dataclass
class Material:
    """Of one run.

    Attributes:
        head: members of `run` that are known of the run as such.
        as_of: when it stood so.
        pending: what agents at work have told that they have cost, by call.
        places: line and column of calls, as far as they are known.
        changed: calls that the next delta has to tell of.
        census, costs: of the whole tree; None of what is added up from the calls.
    """

    caps: Caps = CAPS
    head: dict[str, Any] = field(default_factory=dict)
    as_of: str = ""
    args: Json = None
    result: Json | Missing = MISSING
    calls: Mapping[str, RunCall] = field(default_factory=dict)
    workflows: dict[str, PageWorkflow] = field(default_factory=dict)
    pending: dict[str, Costs] = field(default_factory=dict)
    places: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    census: Census = field(default_factory=Census)
    costs: Costs = field(default_factory=Costs)
    lives: int = 1
    phases: dict[str, str | None] = field(default_factory=dict)
    diagnostics: list[Mapping[str, Json]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.logs = Tail(self.caps.lines, self.caps.characters)
        self.events = Tail(self.caps.lines, self.caps.characters)

    def costs_of(self, call: RunCall) -> Costs:
        """Of a call by now."""
        total = call.costs
        if (told := self.pending.get(call.id)) is not None:
            total.add(told)
        return total

    def usage_json(self) -> dict[str, Any]:
        """Of the whole tree by now."""
        total = Costs()
        for costs in (self.costs, *self.pending.values()):
            total.add(costs)
        return costs_to_json(total)

    def tell(self, event: Event, path: str, kind: str) -> None:
        """Keep an event as a line of its own, and what a workflow has logged."""
        at, seq = event.at, event.seq
        if isinstance(event, Logged):
            text = cut(lines.logged(event.values), self.caps.line)
            self.logs.add({"at": at, "seq": seq, "path": path, "text": text})
        text = cut(lines.line(event), self.caps.event)
        self.events.add({"at": at, "seq": seq, "path": path, "type": kind, "text": text})

    def enter(self, title: object, options: object = None) -> None:
        """Keep a phase that was named."""
        if not isinstance(title, str) or not title:
            return
        name = title[:_TITLE]
        detail = options.get("detail") if isinstance(options, Mapping) else None
        if name in self.phases or len(self.phases) < _PHASES:
            known = self.phases.get(name)
            self.phases[name] = detail[:_MESSAGE] if isinstance(detail, str) else known

    def diagnose(self, diagnostic: Mapping[str, Json]) -> None:
        """Keep a diagnostic."""
        if len(self.diagnostics) < _DIAGNOSTICS:
            self.diagnostics.append(diagnostic)

    def phases_json(self) -> list[dict[str, str]]:
        """As the document has them."""
        told = self.phases.items()
        return [{"title": name} | ({} if detail is None else {"detail": detail}) for name, detail in told]

    def diagnostics_json(self) -> list[dict[str, Json]]:
        """As the document has them: texts are cut, and what is neither text nor number is left out."""
        return [
            {
                name: value[:_MESSAGE] if isinstance(value, str) else value
                for name, value in each.items()
                if value is None or isinstance(value, str | int | float)
            }
            for each in self.diagnostics
        ]


def iso(milliseconds: float | None) -> str | None:
    """A time in UTC; None for a number that is none, as a damaged store may have it."""
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None
