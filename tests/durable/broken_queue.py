"""Stores whose queue breaks one clause of the contract each, and the clause that must say so."""
# ruff: noqa: ARG002

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flowcage.host.durable.queue.records import Schedule, TurnLimits, Wanted, WorkerInfo
from flowcage.host.durable.records import Created, NewRun
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.life import HoldTo
from flowcage.host.durable.sql.queue import schedules, state
from flowcage.host.durable.sql.queue.reap import Reap
from flowcage.host.durable.sql.queue.take import Take
from flowcage.host.durable.sql.writes import Append
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.durable.ticket import Ticket
from flowcage.host.run.core.rules import Rules

from .broken import BROKEN, breaks, done

__all__ = ["BROKEN"]


class _AtAnyTime(HoldTo):
    """Changes the rules of a run that has begun, and of one that is another's."""

    def run(self, scope: Scope) -> bool:
        scope.db.execute("UPDATE runs SET rules = ? WHERE run_id = ?", (self._rules, self._run_id))
        return True


@breaks("rules_change_before_anything_has_happened_and_by_the_owner")
class RulesAnew(SqliteStore):
    def hold_to(self, run_id: str, epoch: int, rules: Rules) -> Ticket[bool]:
        return self._put(_AtAnyTime(run_id, epoch, rules))


@breaks("rules_change_before_anything_has_happened_and_by_the_owner")
class KeepsItsRules(SqliteStore):
    def hold_to(self, run_id: str, epoch: int, rules: Rules) -> Ticket[bool]:
        return done(True)


class _Twice(Take):
    """Claims what it finds, and leaves it in the queue."""

    def run(self, scope: Scope) -> Any:
        taken = super().run(scope)
        scope.db.execute("UPDATE runs SET state = 'queued', epoch = 0 WHERE pool IS NOT NULL")
        return taken


@breaks("a_run_of_the_queue_is_taken_once")
class TakesTwice(SqliteStore):
    def take(self, wanted: Wanted) -> Any:
        return self._put(_Twice(wanted, {}))


@breaks("a_worker_takes_from_its_pools_alone")
class HasOnePool(SqliteStore):
    def create(self, run: NewRun, *, queued: bool = False) -> Ticket[Created]:
        return super().create(run._replace(pool=""), queued=queued)


@breaks("a_worker_takes_from_all_of_its_pools_alike")
class PrefersAPool(SqliteStore):
    def take(self, wanted: Wanted) -> Any:
        return self._put(Take(wanted, {}))


@breaks("a_run_is_not_taken_before_its_time")
class IsTooEarly(SqliteStore):
    def create(self, run: NewRun, *, queued: bool = False) -> Ticket[Created]:
        return super().create(run._replace(not_before=None), queued=queued)


@breaks("what_sleeps_is_taken_when_there_is_something_to_do")
class LetsThemSleep(SqliteStore):
    def cancel(self, run_id: str, reason: str = "") -> Any:
        return done(True)


class _Forgetful(Take):
    """Has no memory of turns."""

    def run(self, scope: Scope) -> Any:
        scope.db.execute("DELETE FROM turns")
        return super().run(scope)


@breaks("tenants_have_turns_however_much_one_has_queued")
class ForgetsTags(SqliteStore):
    def take(self, wanted: Wanted) -> Any:
        return self._put(_Forgetful(wanted, {}))


@breaks("a_tenant_with_the_empty_name_has_turns_beside_others")
class BeginsBehindTheEmptyName(SqliteStore):
    def create(self, run: NewRun, *, queued: bool = False) -> Ticket[Created]:
        return super().create(run._replace(pool=run.pool if run.tenant else None), queued=queued)


@breaks("each_of_very_many_tenants_has_its_turn")
class BeginsAtTheFirst(SqliteStore):
    """Compares the same tenants each time."""

    def take(self, wanted: Wanted) -> Any:
        return self._put(Take(wanted, {}))


class _Credit(Take):
    """Leaves virtual time where it was."""

    def run(self, scope: Scope) -> Any:
        taken = super().run(scope)
        scope.db.execute("UPDATE pools SET virtual_time = 0")
        return taken


@breaks("turns_follow_weights_and_absence_is_no_credit")
class GivesCredit(SqliteStore):
    def take(self, wanted: Wanted) -> Any:
        return self._put(_Credit(wanted, {}))


@breaks("turns_follow_weights_and_absence_is_no_credit")
class HasNoWeights(SqliteStore):
    def take(self, wanted: Wanted) -> Any:
        return super().take(replace(wanted, limits=lambda tenant: wanted.limits(tenant)._replace(weight=1.0)))


@breaks("within_a_tenant_priority_goes_before_age")
class HasNoPriorities(SqliteStore):
    def create(self, run: NewRun, *, queued: bool = False) -> Ticket[Created]:
        return super().create(run._replace(priority=0), queued=queued)


@breaks("quotas_hold_over_all_workers")
@breaks("rates_hold_over_all_workers")
@breaks("a_tenant_that_has_spent_its_money_gets_no_turn")
class HasNoQuotas(SqliteStore):
    def take(self, wanted: Wanted) -> Any:
        return super().take(replace(wanted, limits=lambda _tenant: TurnLimits()))


class _ForgetsMoney(Reap):
    """Forgets what tenants have spent, with what flows off."""

    def run(self, scope: Scope) -> Any:
        found = super().run(scope)
        state.forget(scope.db, scope.now)
        scope.db.execute("DELETE FROM tenants")
        self.wrote = True
        return found


@breaks("what_a_run_has_used_counts_however_long_it_was_at_work")
@breaks("a_tenant_that_has_spent_its_money_gets_no_turn")
class ForgetsWhatWasSpent(SqliteStore):
    def reap(self) -> Any:
        return self._put(_ForgetsMoney())


class _Unmarked(Take):
    def run(self, scope: Scope) -> Any:
        scope.db.execute("UPDATE runs SET made_by = ''")
        return super().run(scope)


@breaks("a_run_that_has_begun_is_taken_by_what_can_replay_it")
class IgnoresMarks(SqliteStore):
    def take(self, wanted: Wanted) -> Any:
        return self._put(_Unmarked(wanted, {}))


@breaks("a_run_that_is_put_back_says_why")
class KeepsItToItself(SqliteStore):
    def put_back(self, run_id: str, epoch: int, why: str = "", not_before: int | None = None) -> Any:
        return super().put_back(run_id, epoch, "", not_before)


@breaks("a_run_that_is_tried_again_is_counted")
class CountsNoTries(SqliteStore):
    def try_again(self, run_id: str, epoch: int, why: str, not_before: int) -> Any:
        return self.put_back(run_id, epoch, why, not_before)


@breaks("a_run_that_nobody_can_replay_says_so")
class TellsNoReason(SqliteStore):
    def reap(self) -> Any:
        return done([])


class _Judges(Reap):
    """Takes silence for death."""

    def run(self, scope: Scope) -> Any:
        scope.is_alive = lambda _owner: False
        return super().run(scope)


@breaks("runs_of_dead_workers_go_back_into_the_queue")
class JudgesTooEarly(SqliteStore):
    def reap(self) -> Any:
        return self._put(_Judges())


class _Patient(Reap):
    def run(self, scope: Scope) -> Any:
        scope.db.execute("UPDATE runs SET takeovers = 0")
        return super().run(scope)


@breaks("what_ends_its_workers_is_quarantined")
class NeverGivesUp(SqliteStore):
    def reap(self) -> Any:
        return self._put(_Patient())


class _Blind(Reap):
    """Does not see that a run gets on."""

    def run(self, scope: Scope) -> Any:
        scope.db.execute("UPDATE runs SET progress = entries")
        return super().run(scope)


class _Proud(Append):
    """Takes each entry for progress."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._vain = 0


@breaks("what_ends_its_workers_is_quarantined")
class SeesProgressInAll(SqliteStore):
    def append(self, *given: Any) -> Any:
        return self._put(_Proud(*given, *[()] * (5 - len(given))))


@breaks("what_ends_its_workers_is_quarantined")
class SeesNoProgress(SqliteStore):
    def reap(self) -> Any:
        return self._put(_Blind())


@breaks("workers_and_what_waits_are_seen")
class HidesWorkers(SqliteStore):
    def describe(self, info: WorkerInfo | None) -> Any:
        return done()


@breaks("workers_are_told_of_what_is_queued")
class TellsNoWorker(SqliteStore):
    async def news(self, *, of_queue: bool = False) -> None:
        raise TimeoutError


class _Again(schedules.Fire):
    """Fires whatever the schedule says."""

    def run(self, scope: Scope) -> Any:
        scope.db.execute("UPDATE schedules SET next_at = ?", (self._at,))
        return super().run(scope)


@breaks("a_schedule_fires_once_for_each_time")
class FiresAgain(SqliteStore):
    def fire(self, name: str, at: int, next_at: int, run: NewRun) -> Any:
        return self._put(_Again(name, at, next_at, run._replace(start_key=None)))


@breaks("a_schedule_fires_once_for_each_time")
class ForgetsWhatToFire(SqliteStore):
    def put_schedule(self, schedule: Schedule) -> Any:
        return super().put_schedule(schedule._replace(what=None))


@breaks("of_the_suspects_one_only_goes_with_a_worker")
class SuspectsNobody(SqliteStore):
    def take(self, wanted: Wanted) -> Any:
        return self._put(_Trusting(wanted, {}))


class _Trusting(Take):
    def run(self, scope: Scope) -> Any:
        scope.db.execute("UPDATE runs SET progress = entries - 1")
        return super().run(scope)
