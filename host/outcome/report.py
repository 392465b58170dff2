"""What a run did and used, however it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from flowcage.host.outcome.usage import Usage
from flowcage.host.outcome.verdict import Verdict
from flowcage.protocol.layers import missing_layers
from flowcage.protocol.limits import camel_case
from flowcage.protocol.messages import Json, Layer


@dataclass(frozen=True)
class Census:
    """How many ``agent()`` calls ended in which way, those of child workflows included.

    Attributes:
        started: calls that were begun; a retry is an attempt of the same call.
        completed: calls that were answered.
        failed: calls that were begun and finally rejected, or became null.
        refused: calls that were not begun: for a limit, for the budget, or for invalid options.
        cancelled: calls that had no end of their own when their workflow ended.
        reused: calls with the answer of another run; `started` and `completed` do not count them.
        unawaited: requests without an answer when their workflow completed. The child reports the first 20.
        swallowed_errors: errors that ``parallel`` and ``pipeline`` turned into null. Each child reports the
            first hundred.
    """

    started: int = 0
    completed: int = 0
    failed: int = 0
    refused: int = 0
    cancelled: int = 0
    unawaited: int = 0
    swallowed_errors: int = 0
    reused: int = 0

    @property
    def calls(self) -> int:
        """All calls: begun, refused or reused."""
        return self.started + self.refused + self.reused

    @property
    def has_failures(self) -> bool:
        """Whether any call failed or was refused."""
        return self.failed + self.refused > 0

    @property
    def is_total_loss(self) -> bool:
        """Whether calls were made, and none has an answer."""
        return self.has_failures and self.completed + self.reused == 0

    def to_json(self) -> dict[str, int]:
        """In the wire's camelCase."""
        return {camel_case(name): count for name, count in asdict(self).items()}


@dataclass(frozen=True)
class Report:
    """What is known of a run when it has ended.

    Attributes:
        run_id: the run's name in events.
        verdict: how the run ended, in one word.
        usage: what the run used.
        logs: the values of each ``log()`` call, oldest first, up to a bound; `logs_dropped` counts the rest.
        phases: titles in the order in which they were first named, by ``phase()`` or by an agent's option;
            `phases_dropped` counts those beyond a bound.
        phase_options: the last options of each ``phase(title, options)``.
        diagnostics: ``{kind, message, …}`` each: errors that became null, agents that failed, requests that
            nobody awaited; `diagnostics_dropped` counts those beyond a bound.
        isolation: layer by layer, what held the child.
        waiting: the ids of requests that were unanswered when it ended.
        verdict: how it ended, in one word.
        limits: the effective ones, with their units in their names; those of the child as it reported them.
        stderr: the last the child said there, without escapes.
        census: what became of the agent calls.
        tenant, metadata: as whoever started the run gave them.
        sleeps: how often the run was asleep, without a process.
    """

    run_id: str
    verdict: Verdict
    usage: Usage = field(default_factory=Usage)
    logs: tuple[tuple[Json, ...], ...] = ()
    logs_dropped: int = 0
    phases: tuple[str, ...] = ()
    diagnostics: tuple[Mapping[str, Json], ...] = ()
    isolation: Mapping[str, Layer] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    stderr: str = ""
    census: Census = Census()
    phases_dropped: int = 0
    phase_options: Mapping[str, Json] = field(default_factory=dict)
    diagnostics_dropped: int = 0
    root_run_id: str = ""
    tenant: str = ""
    metadata: Mapping[str, Json] = field(default_factory=dict)
    sleeps: int = 0

    def to_json(self, **ending: Json) -> dict[str, Any]:
        """The part of the report that ``flowcage run`` prints, with the result or the error in its place.

        Sleeps and what was dropped are told only where there are any, `isolationMissing` only where a layer
        is.
        """
        members: dict[str, Any] = {"runId": self.run_id, "verdict": self.verdict, **ending}
        members |= {"usage": self.usage.to_json(), "census": self.census.to_json()}
        members |= {"phases": [self._phase(title) for title in self.phases]}
        members |= {"diagnostics": list(self.diagnostics)}
        for name in ("logs_dropped", "phases_dropped", "diagnostics_dropped", "sleeps"):
            if count := getattr(self, name):
                members[camel_case(name)] = count
        if missing := self.missing_layers:
            members["isolationMissing"] = missing
        return members

    @property
    def missing_layers(self) -> list[str]:
        """Layers of strict isolation that did not hold; [] for a child that never answered."""
        is_known = self.isolation or self.verdict is Verdict.COMPLETED
        return missing_layers(self.isolation) if is_known else []

    def _phase(self, title: str) -> dict[str, Json]:
        options = self.phase_options.get(title)
        return {"title": title} if options is None else {"title": title, "options": options}


@dataclass(frozen=True)
class Outcome:
    """A run that completed: its result, and the report."""

    result: Json
    report: Report

    def to_json(self) -> dict[str, Any]:
        """As ``flowcage run`` prints it."""
        return self.report.to_json(result=self.result)

    @property
    def run_id(self) -> str:
        """The run's name in events."""
        return self.report.run_id

    @property
    def usage(self) -> Usage:
        """What the run used."""
        return self.report.usage

    @property
    def census(self) -> Census:
        """How the agent calls ended; where the result is only null, `swallowed_errors` may tell why."""
        return self.report.census

    @property
    def logs(self) -> tuple[tuple[Json, ...], ...]:
        """The values of each ``log()`` call, oldest first, up to a bound."""
        return self.report.logs

    @property
    def phases(self) -> tuple[str, ...]:
        """Names of the phases, in order."""
        return self.report.phases
