"""What must hold of a run after each of its lives, and of its end."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flowcage.host import RunOptions
from flowcage.host.durable.history.digests import canonical
from flowcage.host.durable.records import Entry, RunRecord
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.resume.replay import replay
from flowcage.host.run.core.commands import Ask, Finish
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Answered, Heard, Reason, Refused
from flowcage.protocol.messages import AgentRequest

from .kills_lives import RUN


class Log(NamedTuple):
    """A history, folded.

    Attributes:
        asked: keys of the calls of agents that the log has commanded.
        paid: keys of those that it has answers of, with their tokens; those whose check has no end included.
        short: how often the share of each key was too small before anything was spent. That is no answer: the
            same attempt is asked once more.
        handles: what is remembered of calls at work.
        tokens: as the core counts them.
        finishes: how the root ended, each time.
    """

    asked: set[str]
    paid: dict[str, int]
    short: Counter[str]
    handles: dict[str, str | None]
    tokens: int
    finishes: list[Finish]


def folded(record: RunRecord) -> Log:
    """The history of a run."""
    core = Core(record.rules)
    log = Log(set(), {}, Counter(), {}, 0, [])
    settled: set[str] = set()
    for entry in record.entries:
        given = entry.input
        if isinstance(given, Answered | Refused | Heard):
            call = core.tree.call(given.id)
            if call is not None and call.stage == "asked" and isinstance(call.request, AgentRequest):
                key = _key(call.id, call.attempt, call.tries)
                is_heard = isinstance(given, Heard)
                assert key not in (log.paid if is_heard else settled), f"{key} has two answers"
                if _is_short(given):
                    log.short[key] += 1
                else:
                    settled |= set() if is_heard else {key}
                    log.paid[key] = log.paid.get(key, 0) + given.spent.tokens
        for command in core.step(entry.at, given):
            if isinstance(command, Ask) and isinstance(command.request, AgentRequest):
                log.asked.add(_key(command.id, command.attempt, command.tries))
            elif isinstance(command, Finish) and not command.path:
                log.finishes.append(command)
    calls = [call for flow in core.tree.workflows.values() for call in flow.calls.values()]
    at_work = {_key(each.id, each.attempt, each.tries): each.handle for each in calls if each.attempt}
    return log._replace(handles=at_work, tokens=core.tree.totals.tokens)


def _is_short(given: Answered | Refused | Heard) -> bool:
    is_short = isinstance(given, Refused) and given.reason is Reason.SHARE
    return is_short and (given.spent.tokens, given.spent.cost_usd) == (0, 0)  # a cost of None is unknown


def _key(identifier: str, attempt: int, tries: int) -> str:
    return f"{RUN}/{identifier}/{attempt}" + (".2" if tries == 2 else "")


class Judge:
    """Of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: list[Entry] = []
        self._log = Log(set(), {}, Counter(), {}, 0, [])
        self._asked: set[str] = set()

    async def is_done(self, life: int, status: int) -> bool:
        """Judge a life that has ended with this status; whether the run is done."""
        assert status in (0, 3, -9), f"life {life} ended with {status}: {self._stderr(life)}"
        store = SqliteStore.open(self._folder / "runs.db", durability="relaxed")
        try:
            if not await store.runs():
                assert status, f"life {life} has left no run"
                return False
            record = await store.load(RUN)
            log = folded(record)
            self._judge(life, record, log)
            if record.summary.verdict != "completed":
                assert status, f"life {life} has completed, and the store does not say so"
                return False
            await self._judge_end(record, log)
            with pytest.raises(NotResumable, match="has completed"):
                await take_up(store, RUN)
            return True
        finally:
            await store.aclose()

    def _judge(self, life: int, record: RunRecord, log: Log) -> None:
        before, handles = self._log.paid, self._log.handles
        kept = [(each.seq, each.at, each.input) for each in self._entries]
        assert [(each.seq, each.at, each.input) for each in record.entries[: len(kept)]] == kept, (
            f"life {life} has changed what was written"
        )
        asked: set[str] = set()
        short = log.short - self._log.short
        for _, name, key, *told in self._notes(life, "ask", "short"):
            if name == "short":
                if short[key]:  # else the host was killed before it was kept
                    short[key] -= 1
                    asked.discard(key)
                    self._asked.discard(key)
                continue
            interrupted, handle = told
            assert key not in before, f"life {life}: {key} was answered, and is asked again"
            assert key not in asked, f"life {life}: {key} is asked twice"
            assert interrupted or key not in self._asked, f"life {life}: {key} is not told that it was asked"
            assert key in log.asked, f"life {life}: {key} was asked, and the store does not know of it"
            if interrupted:
                assert handle == handles[key], f"life {life}: {key} has lost its handle"
            asked.add(key)
        self._asked |= asked
        noted = {each[2]: each[3] for name in ("answer", "refuse") for each in self._notes(life, name)}
        for key in log.paid.keys() - before.keys():
            assert log.paid[key] == noted[key], f"life {life}: {key} has other tokens"
        self._entries, self._log = list(record.entries), log

    async def _judge_end(self, record: RunRecord, log: Log) -> None:
        ending = record.ending
        assert ending is not None
        [finish] = log.finishes
        assert canonical(ending.result) == canonical(finish.result), "the result is not that of the log"
        assert log.tokens == sum(log.paid.values()), "spent is not what answers cost"
        assert isinstance(ending.usage, dict)
        assert ending.usage["tokens"] == log.tokens
        told = [each for life in range(1, 100) for each in self._notes(life, "result")]
        assert all(each[2:] == [ending.result, log.tokens] for each in told), "another result was told"
        assert len(told) <= 1, "the run has ended twice"
        report = await replay(record, RunOptions(timeout_seconds=100))
        assert report.is_same, f"the journal is not that of its workflow: {report.divergences}"

    def _notes(self, life: int, *names: str) -> list[list[Any]]:
        path = self._folder / "notes"
        lines = path.read_text().splitlines() if path.exists() else []
        return [note for note in map(json.loads, lines) if note[0] == life and note[1] in names]

    def _stderr(self, life: int) -> str:
        return (self._folder / f"stderr-{life}").read_text()[-1_500:]
