"""A kept run as events: those that a listener would have been told, and what only a history has.

The events are what a new core emits as it is given the history. Their times are the core's clock since the
run was made, which goes on between two lives of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from flowcage.host.durable.errors import DamagedEntry
from flowcage.host.durable.records import Ending, Entry, RunRecord, Summary
from flowcage.host.events import records
from flowcage.host.events.records import Event
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.run.core.commands import Ask, Command, Emit, Finish
from flowcage.host.run.core.fold import Core, OutOfOrder
from flowcage.host.run.core.inputs import Compiled, Ended, Input, Noted, Opened, Said, State
from flowcage.host.run.core.rules import Rules
from flowcage.host.run.node import run_id_below
from flowcage.protocol.messages import AgentRequest, Missing


@dataclass(frozen=True)
class _OfHistory(Event):
    TYPE: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """As `Event.to_json`."""
        members = {"type": self.TYPE, "runId": self.run_id, "at": self.at, "seq": self.seq, "time": self.time}
        return members | {"rootRunId": self.root_run_id, "tenant": self.tenant}


@dataclass(frozen=True)
class Resumed(_OfHistory):
    """The run goes on after it was left or had slept; `life` counts how often it was taken up, from 1."""

    TYPE = "resumed"
    life: int = 1

    def to_json(self) -> dict[str, Any]:
        """With the number."""
        return super().to_json() | {"life": self.life}


@dataclass(frozen=True)
class Left(_OfHistory):
    """The process that had the run is gone."""

    TYPE = "left"


class Telling:
    """Of one run, entry by entry.

    Args:
        summary: of the run.
        rules: that its core decides by.

    Attributes:
        core: that has all entries until now.
        next: number of the entry that comes next.
        life: how often the run was taken up, from 1.
    """

    def __init__(self, summary: Summary, rules: Rules) -> None:
        self.core = Core(rules._replace(watched=True))
        self.next = 0
        self._summary = summary
        self._epoch: int | None = None
        self.life = 1
        self._names: dict[str, str] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._told: list[Event] = []
        self._seq = 0
        self._at = 0.0

    def take(self, entry: Entry) -> tuple[list[Command], list[Event]]:
        """What the next entry led to.

        Raises:
            DamagedEntry: the log is none of a run's.
        """
        self._told, self._at = [], entry.at
        if self._epoch not in (None, entry.epoch):
            self.life += 1
            self._tell("", Resumed, life=self.life)
        self._epoch, self.next = entry.epoch, entry.seq + 1
        self._before(entry.input)
        try:
            commands = self.core.step(entry.at, entry.input)
        except OutOfOrder as error:
            why = f"cannot follow what is before it: {error}"
            raise DamagedEntry(self._summary.run_id, entry.seq, why) from None
        for command in commands:
            self._take_command(command)
        self._behind(entry.input)
        return commands, self._told

    def end(self, record: RunRecord) -> Event | None:
        """The last event, where the run is over."""
        return self.end_of(record.summary, record.ending)

    def end_of(self, summary: Summary, ending: Ending | None) -> Event | None:
        """The same, from how the run stands and how it ended."""
        if ending is None or summary.state not in ("ended", "diverged"):
            return None
        error = ending.error.get("message") if isinstance(ending.error, dict) else None
        at = (summary.updated_at - summary.created_at) / 1000
        self._told, self._at = [], at
        verdict: Any = ending.verdict  # of a later version it may be another word
        self._tell("", records.RunEnded, verdict=verdict, error=error)
        return self._told[0]

    def _before(self, given: Input) -> None:
        """Tell of what the core emits nothing about."""
        match given:
            case Opened(path, source_name):
                self._names[path] = source_name
                if path:
                    run_id = run_id_below(self._summary.run_id, path)
                    self._tell(
                        _above(path), records.ChildStarted, child_run_id=run_id, source_name=source_name
                    )
            case Compiled(path, dialect):
                parent = self._run_id(_above(path)) if path else None
                self._tell(
                    path,
                    records.RunStarted,
                    source_name=self._names.get(path, ""),
                    parent_run_id=parent,
                    dialect=dialect,
                )
            case Noted(path, diagnostic):
                self._tell(path, records.Diagnosed, diagnostic=dict(diagnostic))

    def _behind(self, given: Input) -> None:
        match given:
            case Said(path):
                for diagnostic in given.diagnostics:
                    self._tell(path, records.Diagnosed, diagnostic=dict(diagnostic))
                if given.state is State.MORE:
                    self._verdicts[path] = Verdict.FAILED
            case Ended(path) if path:
                verdict = self._verdicts.get(path, Verdict.CANCELLED)
                run_id = run_id_below(self._summary.run_id, path)
                error = None if verdict is Verdict.COMPLETED else str(verdict)
                self._tell(
                    _above(path), records.ChildEnded, child_run_id=run_id, verdict=verdict, error=error
                )

    def _take_command(self, command: Command) -> None:
        match command:
            case Emit(path, kind, members) if kind in records.WITH_USAGE:
                self._tell(path, records.BY_TYPE[kind], **records.of_answer(members))
            case Emit(path, kind, members):
                self._tell(path, records.BY_TYPE[kind], **members)
            case Ask(request=AgentRequest()) if command.tries == 1:
                self._tell_of_start(command)
            case Finish(path, verdict):
                self._verdicts[path] = Verdict(verdict.value)

    def _tell_of_start(self, asked: Ask) -> None:
        request = asked.request
        assert isinstance(request, AgentRequest)
        options = {} if isinstance(request.options, Missing) else request.options
        texts = {name: text if isinstance(text := options.get(name), str) else None for name in _TEXTS}
        self._tell(
            asked.path,
            records.AgentStarted,
            request_id=request.id,
            prompt=request.prompt,
            attempt=asked.attempt,
            options=options,
            **texts | {"phase": asked.phase or None},
        )

    def _tell(self, path: str, kind: type[Event], **members: Any) -> None:
        self._seq += 1
        summary = self._summary
        told = kind(
            run_id=self._run_id(path),
            at=round(self._at, 6),
            seq=self._seq,
            time=time_of(summary, self._at),
            root_run_id=summary.run_id,
            tenant=summary.tenant,
            **members,
        )
        self._told.append(told)

    def _run_id(self, path: str) -> str:
        return run_id_below(self._summary.run_id, path) if path else self._summary.run_id


_TEXTS = ("label", "phase", "model", "provider")


def time_of(summary: Summary, at: float) -> str:
    """The time of the day, in UTC; "" for a number that is none, as a damaged store may have it."""
    try:
        return datetime.fromtimestamp(summary.created_at / 1000 + at, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""


def _above(path: str) -> str:
    return path.rpartition("/")[0]
