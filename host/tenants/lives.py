"""Runs of a host with their turn: one life each, or all until the end.

A life begins with the tenant's turn and ends with the run, or where it falls asleep. While it sleeps it has
no turn, so others have theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import trio

from flowcage.host.durable.store import Store
from flowcage.host.outcome.errors import HostClosing, Overloaded, RunError
from flowcage.host.outcome.judge import verdict_here
from flowcage.host.outcome.report import Outcome
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.glances import Glances
from flowcage.host.process.launch.greeting import initialize_message
from flowcage.host.resume.kept import KeptRun
from flowcage.host.resume.looking.watching import until_over
from flowcage.host.resume.outside import Outside
from flowcage.host.resume.refusals import GoesOn, NotResumable
from flowcage.host.resume.reuse.trial import Trial
from flowcage.host.resume.sleep.asleep import Asleep, end_sleeper
from flowcage.host.resume.sleep.outcomes import outcome_of
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.hibernation import Hibernation
from flowcage.host.run.run import Run
from flowcage.host.run.slots import Share
from flowcage.host.tenants.kept_runs import kept_by
from flowcage.host.tenants.named_runs import Submission
from flowcage.host.tenants.purse import Purse
from flowcage.host.tenants.resources import Tenancies
from flowcage.host.tenants.scheduler import Scheduler, Turn
from flowcage.host.tenants.started.sleepers import LOOK_FOR_DEAD_SECONDS, MOST_CLAIMABLE, Sleepers
from flowcage.host.tenants.statistics import RunCounts
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Isolation

# Told of each life's run before it is carried out.
Began = Callable[[Run], None]
# Between two tries of a run that was woken while its tenant had no place in the queue.
OVERLOADED_SECONDS = 1.0
_OVER = ("ended", "diverged")


class Lives:
    """Of the runs of one host.

    Args:
        store, scheduler, tenancies, counts: of the host.
        hibernation: when a kept run falls asleep; None for never.
        sleepers: wakes them; None without a store.
        outside: tells them what they are given from outside; None without a store.
        takes_up: whether the next host goes on with what this one leaves.
    """

    def __init__(
        self,
        store: Store | None,
        scheduler: Scheduler,
        tenancies: Tenancies,
        counts: RunCounts,
        hibernation: Hibernation | None,
        sleepers: Sleepers | None,
        outside: Outside | None,
        takes_up: bool,
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._tenancies = tenancies
        self._counts = counts
        self._hibernation = hibernation
        self._sleepers = sleepers
        self._outside = outside
        self._takes_up = takes_up
        self.glances = Glances()

    async def to_the_end(self, asked: Submission, began: Began) -> Outcome:
        """Carry a run out through all of its sleeps.

        Raises:
            FlowcageError: as `Host.run`.
        """
        try:
            return await self.one(asked, began)
        except Asleep as told:
            asleep = told.bare()
        try:
            return await self._through_sleeps(asked, began, asleep)
        except BaseException as interruption:
            if isinstance(interruption, Exception):
                raise
            if (verdict := await verdict_here(interruption)) is not Verdict.HOST_SHUTDOWN:
                assert self._store is not None
                with trio.CancelScope(shield=True):
                    await end_sleeper(self._store, asleep.run_id, verdict, "cancelled")
            raise

    async def _through_sleeps(self, asked: Submission, began: Began, asleep: Asleep) -> Outcome:
        while True:
            asked = asked.woken(asleep)
            if asleep.epoch is None:
                await self._until_woken(asleep)
            try:
                try:
                    return await self.one(asked, began)
                except NotResumable as error:
                    return await self.elsewhere(asleep.run_id, error)
            except Asleep as told:
                asleep = told.bare()

    async def elsewhere(self, run_id: str, why: NotResumable) -> Outcome:
        """What others have made of a run that cannot be taken up, or make of it yet.

        Raises:
            Asleep: it is asleep, or nobody has it.
            FlowcageError: as `outcome_of`, or why it cannot be taken up.
        """
        assert self._store is not None
        if not isinstance(why, GoesOn) and (await self._store.get(run_id)).state not in _OVER:
            raise why
        while True:
            summary = await self._store.get(run_id)
            if summary.state in _OVER:
                return outcome_of(await self._store.load(run_id))
            if summary.state == "asleep":
                raise Asleep(run_id, summary.wake_at, 0)
            if any(each.run_id == run_id for each in await self._store.claimable(MOST_CLAIMABLE)):
                raise Asleep(run_id, self._store.now(), 0)
            with trio.move_on_after(LOOK_FOR_DEAD_SECONDS):
                await self._store.news()

    async def over(self, run_id: str) -> Outcome:
        """What becomes of a run that any worker carries out. Raises as `outcome_of`."""
        assert self._store is not None
        await until_over(self._store, run_id)
        return outcome_of(await self._store.load(run_id))

    async def one(self, asked: Submission, began: Began) -> Outcome:
        """Wait for the tenant's turn, and carry out one life.

        Raises:
            Asleep: it is not over.
            FlowcageError: as `Host.run`.
        """
        turn: Turn | None = None
        try:
            try:
                turn = await self._turn(asked)
                kept, options = await kept_by(self._store, asked)
            finally:  # only now no other look at the store finds the run
                if self._sleepers is not None and asked.run_id is not None:
                    self._sleepers.begun(asked.run_id)
            return await self._carry_out(turn, asked._replace(options=options), began, kept)
        finally:
            if turn is not None:
                self._scheduler.leave(turn)

    async def first(self, asked: Submission, began: Began, turn: Turn, kept: KeptRun | None) -> Outcome:
        """The first life of a run that has a place in the queue, and is kept; as `one`."""
        if kept is not None:
            kept.is_left = self._takes_up
        try:
            await self._scheduler.granted(turn)
        except BaseException as interruption:
            if kept is not None:
                is_closing = isinstance(interruption, HostClosing)
                verdict = await verdict_here(interruption)
                await kept.give_up(Verdict.HOST_SHUTDOWN if is_closing else verdict)
            raise
        try:
            return await self._carry_out(turn, asked, began, kept)
        finally:
            self._scheduler.leave(turn)

    async def _turn(self, asked: Submission) -> Turn:
        while True:
            try:
                return await self._scheduler.wait(asked.tenant)
            except Overloaded:
                if asked.after is None:
                    raise
            await trio.sleep(OVERLOADED_SECONDS)

    async def _until_woken(self, asleep: Asleep) -> None:
        assert self._sleepers is not None
        woken = trio.Event()
        self._sleepers.add(asleep.run_id, asleep.wake_at, woken.set)
        try:
            await woken.wait()
        except BaseException:
            self._sleepers.forget(asleep.run_id)
            self._sleepers.begun(asleep.run_id)
            raise

    async def _carry_out(self, turn: Turn, asked: Submission, began: Began, kept: KeptRun | None) -> Outcome:
        try:
            return await self._execute(turn, asked, began, kept)
        finally:
            if kept is not None:
                await kept.leave()

    async def _execute(self, turn: Turn, asked: Submission, began: Began, kept: KeptRun | None) -> Outcome:
        with self._tenancies.hold(turn.tenant, turn.limits) as tenancy:
            slots = {"agent": tenancy.agents}
            launcher = tenancy.reserve.of(initialize_message(*cage(asked.options)))
            figures = self._counts.figures
            means = (turn.process, self.glances, launcher, figures.attempted)
            share = Share(turn.tenant, slots, tenancy.checkers, *means)
            run = self._run(_within(asked, self._tenancies.purse(turn.tenant, turn.limits)), share, kept)
            began(run)
            figures.waited(turn.waited_seconds)
            try:
                outcome = await run.execute(asked.source, asked.args)
            except RunError as error:
                self._counts.add(error.report)
                raise
            finally:
                turn.charge_cpu(run.cpu_seconds)
                if run.report is not None and run.driver.asleep is None:
                    figures.ended(run.report)
                    turn.ended(run.report.verdict)
            self._counts.add(outcome.report)
            return outcome

    def _run(self, asked: Submission, share: Share, kept: KeptRun | None) -> Run:
        options, answerer = asked.options, asked.answerer
        if asked.fork is not None and asked.is_trial:
            return Trial(asked.fork, options, share)
        if kept is None:
            return Run(options, asked.source_name, share, run_id=asked.run_id, answerer=answerer)
        kept.is_left = self._takes_up or asked.is_left
        policy, outside = self._hibernation, self._outside
        return kept.run(options, share, answerer=answerer, hibernation=policy, outside=outside)


def _within(asked: Submission, purse: Purse | None) -> Submission:
    """A run whose agents are asked within the ceiling of its tenant."""
    if purse is None:
        return asked
    if asked.answerer is not None:
        return asked._replace(answerer=purse.guarded_answerer(asked.answerer))
    return asked._replace(options=replace(asked.options, agent=purse.guarded(asked.options.agent)))


def cage(options: RunOptions) -> tuple[Limits, Isolation | None]:
    """What the first message to a child depends on; a spare serves runs whose values equal the host's."""
    return options.limits, options.isolation
