"""Stores that break one clause of the contract each, and the clause that must say so."""
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowcage.host.durable.errors import AmbiguousRun
from flowcage.host.durable.history import codec
from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.records import Created, EncodedEntry, Filter, FromOutside, NewRun, NewWorkflow
from flowcage.host.durable.sql import life, outside, writes
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.rows import encoded_ending
from flowcage.host.durable.sql.schema import escaped
from flowcage.host.durable.sql.upkeep import removal
from flowcage.host.durable.sql.upkeep.transfer import Import
from flowcage.host.durable.sql.write import Write
from flowcage.host.durable.sqlite.files import imported
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.durable.ticket import Ticket, settle
from flowcage.host.run.core.inputs import Answered, Refused

BROKEN: dict[str, list[type[SqliteStore]]] = {}


def breaks(*clauses: str) -> Any:
    def register(kind: type[SqliteStore]) -> type[SqliteStore]:
        for name in clauses:
            BROKEN.setdefault(name, []).append(kind)
        return kind

    return register


def done(value: Any = None) -> Ticket[Any]:
    """A ticket for nothing."""
    ticket: Ticket[Any] = Ticket()
    settle([(ticket, value, None)])
    return ticket


Entries = Sequence[EncodedEntry]


@breaks("another_host_finds_all_that_was_durable", "many_hosts_runs_and_writes_at_once")
class ForgetsTheLast(SqliteStore):
    """Says that a write is durable which is not written."""

    def append(self, run_id: str, epoch: int, seq: int, entries: Entries, took: Sequence[str] = ()) -> Any:
        return super().append(run_id, epoch, seq, entries[:-1], took)


@breaks("values_of_any_size_are_kept")
class CutsOff(SqliteStore):
    """Has columns of a fixed size."""

    def append(self, run_id: str, epoch: int, seq: int, entries: Entries, took: Sequence[str] = ()) -> Any:
        cut = [EncodedEntry(at, data[:65_536]) for at, data in entries]
        return super().append(run_id, epoch, seq, cut, took)


@breaks("digests_can_be_compared_with_the_key_of_the_run")
class OtherKey(SqliteStore):
    """Makes digests with a key of its own."""

    def encode(self, given: Any) -> bytes:
        return codec.encode(given, b"mine")


class _At(Write[None]):
    """Appends at whatever number and with whatever epoch."""

    def __init__(self, run_id: str, entries: Entries) -> None:
        super().__init__()
        self._run_id, self._entries = run_id, entries

    def run(self, scope: Scope) -> None:
        sql = "SELECT epoch, entries, owner FROM runs WHERE run_id = ?"
        row = scope.db.execute(sql, (self._run_id,)).fetchone()
        if row is not None and row[2] is not None:
            scope.owner, owner = row[2], scope.owner
            write = writes.Append(self._run_id, row[0], row[1], self._entries, ())
            write.prepare(scope)
            writes.Append.run_all(scope, [write])
            scope.owner = owner


@breaks(
    "entries_have_no_gap",
    "whoever_has_lost_a_run_writes_nothing_more",
    "a_write_that_is_refused_stands_in_nobodys_way",
    "an_answer_is_taken_in_with_its_entry_or_not_at_all",
)
class Renumbers(SqliteStore):
    """Appends whatever comes, as the next entry and by the present owner."""

    def append(self, run_id: str, epoch: int, seq: int, entries: Entries, took: Sequence[str] = ()) -> Any:
        return self._put(_At(run_id, entries))


@breaks("a_workflow_at_a_path_stays_the_same")
class ForgetsWorkflows(SqliteStore):
    def add_workflow(self, run_id: str, epoch: int, workflow: NewWorkflow) -> Any:
        return done()


@breaks("a_start_with_a_key_is_one_run", "only_one_of_many_starts_with_a_key_is_new")
class IgnoresStartKeys(SqliteStore):
    def create(self, run: NewRun, *, queued: bool = False) -> Ticket[Created]:
        return super().create(run._replace(start_key=None), queued=queued)


@breaks("an_id_that_no_file_could_have_is_refused")
class TakesAnyId(SqliteStore):
    def create(self, run: NewRun, *, queued: bool = False) -> Ticket[Created]:
        return self._put(writes.Create(run, queued))


@breaks("a_queued_run_waits_for_whoever_claims_it", "hosts_are_told_of_news")
class StartsWhatIsQueued(SqliteStore):
    def create(self, run: NewRun, *, queued: bool = False) -> Ticket[Created]:
        return super().create(run)


class _Steal(life.Claim):
    def run(self, scope: Scope) -> int | None:
        scope.is_alive = lambda _owner: False
        return super().run(scope)


@breaks("nobody_takes_a_run_from_a_host_that_lives", "a_run_is_claimed_once")
class Steals(SqliteStore):
    """Takes silence for death."""

    def claim(self, run_id: str, *, reopen: bool = False) -> Any:
        return self._put(_Steal(run_id, reopen))


@breaks(
    "a_host_that_was_closed_or_killed_leaves_its_runs",
    "a_run_whose_host_is_gone_is_told_from_one_that_goes_on",
)
class NeverTakesOver(SqliteStore):
    """Takes death for silence."""

    def is_alive(self, owner: str) -> bool:
        return True


@breaks("an_end_is_kept_whole")
class ForgetsResults(SqliteStore):
    def end(self, run_id: str, epoch: int, ending: Any) -> Any:
        return super().end(run_id, epoch, ending._replace(result=None))


@breaks("what_has_ended_is_claimed_to_be_reopened_only")
class Reopens(SqliteStore):
    def claim(self, run_id: str, *, reopen: bool = False) -> Any:
        return super().claim(run_id, reopen=True)


@breaks("a_sleeping_run_is_due_at_its_time")
class Oversleeps(SqliteStore):
    def sleep(self, run_id: str, epoch: int, wake_at: int | None = None) -> Any:
        return super().sleep(run_id, epoch)


class _Wrote(life.Claim):
    def run(self, scope: Scope) -> int | None:
        scope.db.execute("UPDATE runs SET written_at = ? WHERE run_id = ?", (scope.now, self._run_id))
        return super().run(scope)


@breaks("what_a_run_has_slept_and_when_it_was_written_is_known")
class TakesAClaimForAnEntry(SqliteStore):
    def claim(self, run_id: str, *, reopen: bool = False) -> Any:
        return self._put(_Wrote(run_id, reopen))


class _LastWins(outside.GiveAnswer):
    def run(self, scope: Scope) -> bool:
        where = (self._run_id, escaped(self._request))
        scope.db.execute("DELETE FROM answers WHERE run_id = ? AND request = ?", where)
        return super().run(scope)


@breaks("the_first_answer_wins_and_stays_until_it_is_taken_in")
class LastAnswerWins(SqliteStore):
    def answer(self, run_id: str, answer: Answered | Refused) -> Any:
        return self._put(_LastWins(run_id, answer.id, self.encode(answer)))


@breaks("a_run_does_not_fall_asleep_over_what_it_has_not_seen")
class FallsAsleep(SqliteStore):
    def sleep(self, run_id: str, epoch: int, wake_at: int | None = None) -> Any:
        self._put(life.Leave(run_id, epoch, "asleep"))
        return done(True)


@breaks("a_host_learns_at_once_what_its_runs_were_given")
class TellsOfOthers(SqliteStore):
    async def outside(self) -> Any:
        sql = "SELECT run_id, request FROM answers WHERE data IS NOT NULL"
        rows = await self._read(lambda db: db.execute(sql, ()).fetchall())
        return [FromOutside(run_id, frozenset({request}), None) for run_id, request in rows]


class _Forgets(life.Leave):
    @classmethod
    def run_all(cls, scope: Scope, writes: Sequence[life.Leave]) -> None:
        super().run_all(scope, writes)
        for write in writes:
            scope.db.execute("DELETE FROM answers WHERE run_id = ?", (write._run_id,))


@breaks("a_run_that_was_broken_off_keeps_its_answers")
class ForgetsAnswers(SqliteStore):
    def end(self, run_id: str, epoch: int, ending: Any) -> Any:
        return self._put(_Forgets(run_id, epoch, "ended", ending.verdict, encoded_ending(ending)))


@breaks("nothing_is_asked_of_a_run_that_is_over_or_unknown")
class AnswersTheDead(SqliteStore):
    def answer(self, run_id: str, answer: Answered | Refused) -> Any:
        return done(True)


@breaks("hosts_are_told_of_news")
class TellsNobody(SqliteStore):
    async def news(self, *, of_queue: bool = False) -> None:
        raise TimeoutError


class _EndAnyway(life.EndUnowned):
    def run(self, scope: Scope) -> bool:
        scope.owner, scope.is_alive = "", lambda _owner: False
        return super().run(scope)


@breaks("a_run_that_nobody_has_can_be_ended_and_no_other")
class EndsTheLiving(SqliteStore):
    def end_unowned(self, run_id: str, ending: Any) -> Any:
        return self._put(_EndAnyway(run_id, ending.verdict, encoded_ending(ending)))


@breaks("an_answer_that_is_turned_away_leaves_room_for_another")
class KeepsWhatWasTurnedAway(SqliteStore):
    """An answer that is turned away stays the first."""

    def turn_away(self, run_id: str, epoch: int, request: str) -> Any:
        return self.append(run_id, epoch, 0, [], [request])


@breaks("a_history_is_read_on_from_any_entry")
class RepeatsItself(SqliteStore):
    async def entries(self, run_id: str, since: int) -> Any:
        return await super().entries(run_id, max(0, since - 1))


@breaks("whoever_follows_a_run_is_told_of_what_is_appended")
class HasNoFollowers(SqliteStore):
    def follow(self, run_id: str) -> Any:
        return self._put(removal.Delete(run_id)) if run_id == "none" else done()


@breaks("a_prefix_names_one_run")
class Guesses(SqliteStore):
    async def find(self, prefix: str, tenant: str | None = None) -> str:
        try:
            return await super().find(prefix, tenant)
        except AmbiguousRun as error:
            return error.found[0]


@breaks("runs_are_listed_by_filter")
class ListsEverything(SqliteStore):
    async def runs(self, which: Filter = Filter()) -> Any:  # noqa: B008
        return await super().runs(which._replace(tenant=None))


class _Delete(removal.Delete):
    def run(self, scope: Scope) -> None:
        sql = "UPDATE runs SET state = 'ended', owner = NULL, forked_from = NULL"
        scope.db.execute(sql)
        super().run(scope)


@breaks("only_what_is_over_and_unused_is_removed")
class RemovesAnything(SqliteStore):
    def delete(self, run_id: str) -> Any:
        return self._put(_Delete(run_id))


@breaks("runs_are_pruned_by_age")
class PrunesEverything(SqliteStore):
    async def prune(self, before: int, tenant: str | None = None, *, dry_run: bool = False) -> Any:
        return await super().prune(2**50, tenant, dry_run=dry_run)


@breaks("runs_are_pruned_by_age")
class PrunesInADryRun(SqliteStore):
    async def prune(self, before: int, tenant: str | None = None, *, dry_run: bool = False) -> Any:
        return await super().prune(before, tenant)


class _ImportOpen(Import):
    def _settle_in(self, scope: Scope, run_id: str) -> None:
        pass


@breaks("a_run_moves_with_its_ancestors_in_one_file")
class GoesOnInTwoPlaces(SqliteStore):
    def import_from(self, path: Path, tenant: str | None = None) -> Any:
        return self._put(_ImportOpen(path, tenant, imported))


@breaks("caps_on_bytes_are_kept")
class HasNoCaps(SqliteStore):
    @classmethod
    def open(cls, path: Any, options: StoreOptions = DEFAULTS, **more: Any) -> Any:
        return super().open(path, options._replace(tenant_bytes=None), **more)
