"""What a run did and used, however it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from flowcage.host.outcome.verdict import Verdict
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json, Layer

# Of logs, phases and diagnostics, as JSON, for the report. Events have them all.
MAX_KEPT_BYTES = 4 * 1024 * 1024
MAX_KEPT_ENTRIES = 10_000


@dataclass(frozen=True)
class PhaseUsage:
    """The usage of the agents of one phase.

    Attributes:
        agents: calls that were begun.
        failed: calls that were begun and finally rejected.
        tokens: as the agents reported.
    """

    agents: int = 0
    failed: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Census:
    """How many ``agent()`` calls ended in which way, those of child workflows included.

    Attributes:
        started: calls that were begun; a retry is an attempt of the same call.
        completed: calls that were answered.
        failed: calls that were begun and finally rejected.
        refused: calls that were not begun: for a limit, for the budget, or for invalid options.
        swallowed_errors: errors of this workflow that ``parallel`` and ``pipeline`` turned into null. The
            child reports the first hundred.
    """

    started: int = 0
    completed: int = 0
    failed: int = 0
    refused: int = 0
    swallowed_errors: int = 0


@dataclass(frozen=True)
class Usage:
    """What the run used; seconds are rounded to microseconds.

    Attributes:
        wall_seconds: from the launch of the child to its reaping.
        user_cpu_seconds, system_cpu_seconds: of the child (wait4(2)); child workflows have their own reports.
        peak_rss_bytes: of the child (VmHWM, proc(5)); 0 where it ended before that could be read.
        agents: ``agent()`` calls that were begun, those of child workflows included.
        tokens: as the agents reported.
        messages, bytes_sent, bytes_received: on the wire.
        by_phase: agents and tokens by phase, "" for agents without one; phases beyond a bound are
            counted together.
    """

    wall_seconds: float = 0.0
    user_cpu_seconds: float = 0.0
    system_cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    agents: int = 0
    tokens: int = 0
    messages: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    by_phase: Mapping[str, PhaseUsage] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The usage with camelCase names, as the command line prints it."""
        return {
            "wallSeconds": self.wall_seconds,
            "userCpuSeconds": self.user_cpu_seconds,
            "systemCpuSeconds": self.system_cpu_seconds,
            "peakRssBytes": self.peak_rss_bytes,
            "agents": self.agents,
            "tokens": self.tokens,
            "messages": self.messages,
            "bytesSent": self.bytes_sent,
            "bytesReceived": self.bytes_received,
            "byPhase": {name: asdict(usage) for name, usage in self.by_phase.items()},
        }


# The kind of a diagnostic of the host: a request's type is unknown to it, perhaps from a later protocol
# version.
UNKNOWN_REQUEST_TYPE = "unknown_request_type"


@dataclass(frozen=True)
class Report:
    """What is known of a run when it has ended.

    Attributes:
        run_id: the run's name in events.
        verdict: how the run ended, in one word.
        usage: what the run used.
        logs: the values of each ``log()`` call, oldest first, up to a bound; `logs_dropped` counts the rest.
        phases: names, in order.
        diagnostics: ``{kind, message, …}`` each, such as an error that was swallowed by ``parallel()`` or a
            script without a return; from the host `UNKNOWN_REQUEST_TYPE`.
        isolation: each layer, as the child reported it.
        waiting: the ids of requests that were unanswered at the end.
        limits: the effective ones, with their units in their names; those of the child as it reported them.
        stderr: the end of the child's stderr, without escapes.
        census: how the agent calls ended.
    """

    run_id: str
    verdict: Verdict
    usage: Usage = Usage()
    logs: tuple[tuple[Json, ...], ...] = ()
    logs_dropped: int = 0
    phases: tuple[str, ...] = ()
    diagnostics: tuple[Mapping[str, Json], ...] = ()
    isolation: Mapping[str, Layer] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    stderr: str = ""
    census: Census = Census()


@dataclass(frozen=True)
class Outcome:
    """A run that completed: its result, and the report."""

    result: Json
    report: Report

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


class Journal:
    """The logs, phases and diagnostics of a run for its report, bounded in number and bytes.

    Attributes:
        logs_dropped: ``log()`` calls that found no room.
    """

    def __init__(self) -> None:
        self.logs: list[tuple[Json, ...]] = []
        self.logs_dropped = 0
        self.phases: list[str] = []
        self.diagnostics: list[Mapping[str, Json]] = []
        self._bytes = 0

    def log(self, values: list[Json]) -> None:
        """Keep one ``log()`` call, or count it as dropped."""
        if self._has_room(len(self.logs), values):
            self.logs.append(tuple(values))
        else:
            self.logs_dropped += 1

    def diagnostic(self, note: Mapping[str, Json]) -> None:
        """Keep one diagnostic while there is room."""
        if self._has_room(len(self.diagnostics), note):
            self.diagnostics.append(note)

    def phase(self, name: str) -> None:
        """Keep one phase's name while there is room."""
        if self._has_room(len(self.phases), name):
            self.phases.append(name)

    def _has_room(self, kept: int, value: Json) -> bool:
        if kept >= MAX_KEPT_ENTRIES or self._bytes > MAX_KEPT_BYTES:
            return False
        self._bytes += len(strictjson.dumps(value))
        return self._bytes <= MAX_KEPT_BYTES
