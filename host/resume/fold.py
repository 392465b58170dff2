"""From the record of a run to its past: the log is given to a new core, and what it commands is sorted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from flowcage.host.durable.errors import DamagedEntry
from flowcage.host.durable.history.digests import Digests, digest_of_asked
from flowcage.host.durable.records import WITHHELD, Entry, NewWorkflow, RunRecord
from flowcage.host.resume.made_by import differences
from flowcage.host.run.core.commands import Ask, Command, Finish, Tell, Verdict, Wake
from flowcage.host.run.core.fold import Core, OutOfOrder
from flowcage.host.run.core.inputs import Compiled, Ended, Input, Noted, Opened, Said
from flowcage.host.run.core.tree import Tree
from flowcage.host.run.past.journal import Begun
from flowcage.host.run.past.past import Past, PastWorkflow, Reply
from flowcage.protocol import strictjson
from flowcage.protocol.messages import MISSING, Json, Missing


def past_of(record: RunRecord, now: int | None = None) -> Past:
    """The past of a run.

    Args:
        record: as the store has it.
        now: on the store's clock; None for the time of the last entry. One that has been set back stands
            still, so a sleep is never longer than it was.

    Raises:
        DamagedEntry: the log is none of a run's.
    """
    folding = _folded(record)
    last = record.entries[-1].at if record.entries else 0.0
    away = 0 if now is None else max(0, now - record.summary.written_at)
    return folding.past(last + away / 1000, active_seconds(record.entries))


class History(NamedTuple):
    """All that children of a run were told and said.

    Attributes:
        workflows: by path, the root first, and each before those below it; also those that had ended.
        finishes: how workflows ended, where the core says so.
        open: the paths of those that had not ended.
        tree: the state that all inputs have led to.
    """

    workflows: Mapping[str, PastWorkflow]
    finishes: Mapping[str, Finish]
    open: frozenset[str]
    tree: Tree


def history_of(record: RunRecord) -> History:
    """The history of a run. Raises as `past_of`."""
    folding = _folded(record)
    return History(folding.workflows, folding.finishes, frozenset(folding.open), folding.core.tree)


def _folded(record: RunRecord) -> _Folding:
    folding = _Folding(record)
    for entry in record.entries:
        folding.take(entry)
    return folding


def active_seconds(entries: Sequence[Entry]) -> float:
    """How long hosts have had a run together, each from the first to the last entry that it wrote."""
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    for entry in entries:
        first.setdefault(entry.epoch, entry.at)
        last[entry.epoch] = entry.at
    return sum(last[epoch] - first[epoch] for epoch in first)


class _Folding:
    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self.core = Core(record.rules._replace(watched=False))  # nobody reads what was told then
        self.workflows: dict[str, PastWorkflow] = {}
        self.open: set[str] = set()
        self._asks: dict[str, Ask] = {}
        self._wakes: dict[str, Wake] = {}
        self.finishes: dict[str, Finish] = {}
        self._ended: dict[str, Finish] = {}

    def past(self, seconds: float, active: float) -> Past:
        core = self.core
        core.tree.commands, core.tree.is_watched = [], True
        workflows = {path: each for path, each in self.workflows.items() if path in self.open}
        known = (workflows, self._asks, self._wakes, self.finishes, self._ended)
        past = Past(core, seconds, active, *known)
        past.begun = {path: each.begun for path, each in self.workflows.items() if path and each.begun}
        past.made_by_others = differences(self._record.workflows[""].made_by)
        return past

    def take(self, entry: Entry) -> None:
        run_id = self._record.summary.run_id
        try:
            commands = self.core.step(entry.at, entry.input)
        except OutOfOrder as error:
            raise DamagedEntry(run_id, entry.seq, f"cannot follow what is before it: {error}") from None
        self._take_input(entry.input, entry.digests)
        for command in commands:
            self._take_command(command)

    def _take_input(self, given: Input, digests: Digests | None) -> None:
        match given:
            case Opened(path):
                kept = self._record.workflows.get(path)
                self.workflows[path] = PastWorkflow(path, None if kept is None else self._begun(kept))
                self.open.add(path)
            case Compiled(path):
                self.workflows[path].is_compiled = True
            case Noted(path):
                self.workflows[path].has_notes = True
            case Said(path):
                assert digests is not None
                self.workflows[path].said(_reply(given, digests, self._record.digest_key))
            case Ended(path):
                self.open.discard(path)
                finish = self.finishes.get(path)
                if finish is not None and finish.verdict is Verdict.COMPLETED:
                    self._ended[path] = finish

    def _begun(self, kept: NewWorkflow) -> Begun:
        try:
            return begun_of(kept)
        except ValueError as error:
            why = f"the args of its workflow {kept.path!r} are no JSON: {error}"
            raise DamagedEntry(self._record.summary.run_id, None, why) from None

    def _take_command(self, command: Command) -> None:
        match command:
            case Ask():
                self._asks[command.id] = command._replace(interrupted=True)
            case Wake():
                self._wakes[command.id] = command
            case Finish():
                self.finishes[command.path] = command
            case Tell():
                self.workflows[command.path].turns.append(command.resolves)


def _reply(said: Said, digests: Digests, key: bytes) -> Reply:
    return Reply(said, partial(_matches, digests.asked, key))


def _matches(asked: str, key: bytes, said: Said) -> bool:
    return digest_of_asked(key, said) == asked


def begun_of(workflow: NewWorkflow) -> Begun:
    """A workflow as its child was told of it."""
    args: Json | Missing = {}
    if workflow.args is not None:
        told = workflow.args.encode("utf-8", "surrogatepass")
        args = MISSING if workflow.args == WITHHELD else strictjson.loads(told)
    return Begun(
        workflow.path,
        workflow.source,
        workflow.source_name,
        args,
        workflow.dialect,
        workflow.budget,
        workflow.limits,
        workflow.modules,
    )
