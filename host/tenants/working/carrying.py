"""Runs that a worker has taken from the queue, each in a task of its host, until nothing of them is left.

A run that falls asleep is the store's: whichever worker has a slot then wakes it. One that this host cannot
go on with, for reasons that another may not have, goes back into the queue with the reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Protocol

import trio

from flowcage.host.durable.errors import Fenced, Locked, StoreError, StoreFailed, UnknownRun
from flowcage.host.durable.queue.records import Taken
from flowcage.host.durable.store import Store
from flowcage.host.outcome.errors import CannotSend, FlowcageError, RunError
from flowcage.host.outcome.report import Outcome
from flowcage.host.outcome.verdict import HOST_SHUTDOWN, Verdict
from flowcage.host.resume.giving_back import LAST_COMMIT_SECONDS, give_back
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.resume.sleep.asleep import Asleep
from flowcage.host.run.options import RunOptions
from flowcage.host.run.run import Run
from flowcage.host.tenants.named_runs import Submission
from flowcage.host.tenants.purse import Purse
from flowcage.host.tenants.working.worker import Worker
from flowcage.host.terminal.log import logger

_LOG = logger("worker")
# Before a run is taken again that a worker could not go on with.
REFUSED_MS = 60_000


class Living(Protocol):
    """What carries out one life of a run."""

    async def one(self, asked: Submission, began: Callable[[Run], None]) -> Outcome: ...


class Carrying:
    """Of one worker.

    Args:
        store: of the queue.
        lives: carries them out.
        options: of the host.
        spawn: starts a task of the host's in a scope, which is cancelled when the host closes.
        left: is called when nothing of a run is left here.
        fails: is called where no child could be started: it may be this machine's fault.
        worker: whose ceilings hold for each run, whatever it was submitted with.
    """

    def __init__(
        self,
        store: Store,
        lives: Living,
        options: RunOptions,
        spawn: Callable[[trio.CancelScope, Callable[[], Awaitable[None]]], None],
        left: Callable[[], None],
        fails: Callable[[], None],
        worker: Worker,
    ) -> None:
        self._store = store
        self._lives = lives
        self._options = options
        self._spawn = spawn
        self._left = left
        self._fails = fails
        self._worker = worker
        self._carried: set[_Carried] = set()
        self._is_resting = False

    def begin(self, taken: Taken) -> None:
        """Carry out a run that was taken."""
        carried = _Carried(taken)
        self._carried.add(carried)
        self._spawn(carried.scope, partial(self._carry, carried))

    def rest(self) -> None:
        """Have each run fall asleep as soon as it only waits for the clock or for people."""
        self._is_resting = True
        for each in self._carried:
            each.rest()

    def hand_over(self) -> None:
        """Leave all that is here to other workers."""
        for each in self._carried:
            each.scope.cancel(reason=HOST_SHUTDOWN)

    async def _carry(self, carried: _Carried) -> None:
        run_id = carried.taken.run_id
        try:
            with carried.scope:
                await self._to_the_end(carried)
        except Fenced as error:
            _LOG.warning("run %s is not this worker's any more: %s", run_id, error)
        except StoreFailed as error:
            _LOG.warning("run %s cannot be kept or read here: %s", run_id, error)
            if not carried.has_begun:  # what it consists of cannot be read, as that of others
                self._fails()
                await self._refuse(carried, str(error))
        except RunError as error:  # its end is written
            if error.verdict is Verdict.NOT_STARTED and not isinstance(error, CannotSend):
                _LOG.warning("run %s could not be started here: %s", run_id, error)
                self._fails()
        except (NotResumable, StoreError) as error:
            if isinstance(error, Locked):  # as all others will be here, which another worker may open
                self._fails()
            await self._refuse(carried, str(error))
        except FlowcageError:  # the host closes
            pass
        except Exception as error:
            _LOG.exception("run %s cannot be gone on with: %.200r", run_id, error)
            await self._refuse(carried, f"a fault of the worker: {error!r:.200}")
        finally:
            await self._leave(carried)

    async def _to_the_end(self, carried: _Carried) -> None:
        taken = carried.taken
        options = carried.within(self._options, self._worker.max_cost_usd)
        asked = Submission(taken.tenant, "", taken.run_id, None, options, taken.run_id, is_left=True)
        asked = asked._replace(ceilings=self._worker.ceilings(taken.tenant))
        asleep = Asleep(taken.run_id, None, 0, taken.epoch)
        while asleep.epoch is not None:
            carried.taken, carried.has_begun = taken._replace(epoch=asleep.epoch), False
            try:
                await self._lives.one(asked.woken(asleep), partial(self._began, carried))
                return
            except Asleep as told:
                asleep = told.bare()
            finally:
                self._charge(carried)

    def _began(self, carried: _Carried, run: Run) -> None:
        carried.begin(run)
        if self._is_resting:
            carried.rest()

    def _charge(self, carried: _Carried) -> None:
        cpu_seconds, cost_usd = carried.spent()
        if cpu_seconds or cost_usd:
            self._store.charge(carried.taken.tenant, cpu_seconds, cost_usd)

    async def _refuse(self, carried: _Carried, why: str) -> None:
        """Put a run back with a reason; one that was given back already is claimed for that."""
        run_id, epoch = carried.taken.run_id, carried.taken.epoch
        later = self._store.now() + REFUSED_MS
        with (
            trio.move_on_after(LAST_COMMIT_SECONDS, shield=True),
            suppress(Fenced, StoreFailed, UnknownRun),
        ):
            try:
                await self._store.put_back(run_id, epoch, why, later)
            except Fenced:
                if (again := await self._store.claim(run_id)) is not None:
                    await self._store.put_back(run_id, again, why, later)

    async def _leave(self, carried: _Carried) -> None:
        try:
            if not carried.has_begun:
                await give_back(self._store, carried.taken.run_id, carried.taken.epoch, None)
        finally:
            self._carried.discard(carried)
            self._left()


class _Carried:
    """One run that was taken."""

    def __init__(self, taken: Taken) -> None:
        self.taken = taken
        self.scope = trio.CancelScope()
        self.has_begun = False
        self._run: Run | None = None
        self._cost_before = 0.0
        self._purse: Purse | None = None

    def within(self, options: RunOptions, most_usd: float | None) -> RunOptions:
        """Options whose agents are asked within a ceiling on the cost of the run."""
        if most_usd is None:
            return options
        self._purse = Purse(most_usd, "worker")
        return replace(options, agent=self._purse.guarded(options.agent))

    def begin(self, run: Run) -> None:
        """A life begins."""
        self._run, self.has_begun = run, True
        self._cost_before = run.driver.core.tree.totals.cost_usd
        if self._purse is not None:
            self._purse.spent = self._cost_before

    def rest(self) -> None:
        """Fall asleep when the run only waits; one that waits for its turn is given back."""
        if self._run is None:
            self.scope.cancel(reason=HOST_SHUTDOWN)
        else:
            self._run.driver.idleness.hasten()

    def spent(self) -> tuple[float, float]:
        """What the last life has used: seconds of CPU, and US dollars."""
        run, self._run = self._run, None
        if run is None:
            return 0.0, 0.0
        return run.cpu_seconds, max(0.0, run.driver.core.tree.totals.cost_usd - self._cost_before)
