"""A run that a store keeps, from the host that has it: begun or claimed, carried out, and its end written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import trio

from flowcage.host.durable.errors import Fenced, StoreFailed
from flowcage.host.durable.records import Ending, RunRecord
from flowcage.host.durable.store import Store
from flowcage.host.outcome.cancel import CancelRequested
from flowcage.host.outcome.ending import explain
from flowcage.host.outcome.errors import RunError, RunTimedOut
from flowcage.host.outcome.judge import verdict_here
from flowcage.host.outcome.report import Outcome, Report
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.resume.fold import begun_of, past_of
from flowcage.host.resume.given import Given
from flowcage.host.resume.giving_back import as_claimed, claimed, give_back, last_word, not_kept
from flowcage.host.resume.keeper import Keeper
from flowcage.host.resume.new.again import goes_again, left
from flowcage.host.resume.new.ceilings import NO_CEILINGS, NOT_HELD, Ceilings, Held
from flowcage.host.resume.new.queued import as_made
from flowcage.host.resume.outside import Outside
from flowcage.host.resume.refusals import GoesOn, require_handlers, require_resumable
from flowcage.host.resume.reuse.forks import guide_of
from flowcage.host.resume.sleep.asleep import Asleep, fall_asleep, require_time
from flowcage.host.resume.watched import Watched
from flowcage.host.run.asking.answering import Answerer, answered
from flowcage.host.run.core.inputs import Noted
from flowcage.host.run.guide.guide import Guide
from flowcage.host.run.limits import with_limits
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.diverged import ReplayDiverged
from flowcage.host.run.past.hibernation import Hibernation
from flowcage.host.run.past.journal import Begun
from flowcage.host.run.past.past import Past
from flowcage.host.run.run import Run
from flowcage.host.run.slots import Share
from flowcage.protocol.messages import Json


class KeptRun:
    """One run of a store, which this host has. Made by `begin` and `take_up`.

    Attributes:
        run_id: in the store, and in events.
        record: of a run that is gone on with, with the ending that it had; None for a new one.
        is_left: whether the end of its host leaves it to whoever takes it up; otherwise it is ended then.
        expires_at: from when on it is not woken any more, in milliseconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        keeper: Keeper,
        begun: Begun,
        record: RunRecord | None,
        past: Past | None,
        guide: Guide | None = None,
        held: Held = NOT_HELD,
    ) -> None:
        self._store = store
        self._held = held
        self._keeper = keeper
        self._past = past
        self._was_carried_out = False
        self._guide = guide
        self._options: RunOptions | None = None
        self.begun = begun
        self.record = record
        self.run_id = keeper.run_id
        self._outside: Outside | None = None
        self.is_left = False
        self.expires_at = None if record is None else record.summary.expires_at

    def run(
        self,
        options: RunOptions,
        share: Share | None = None,
        *,
        answerer: Answerer | None = None,
        outside: Outside | None = None,
        hibernation: Hibernation | None = None,
    ) -> Run:
        """The run, to be executed once.

        Args:
            options: its own. Of one that is gone on with, rules and limits of the child are those it had.
            share: what it may use of its tenant's.
            answerer: answers its requests in place of the options' handlers.
            outside: tells it what it is given from outside, while it is carried out.
            hibernation: when it falls asleep; None for never.

        Raises:
            NotResumable: nobody would answer a kind of request that had been answered.
        """
        if self.record is not None:
            require_handlers(self.record, answered(options, answerer, is_kept=True))
            options = self.options(options)
        run = _Run(
            options,
            self.begun.source_name,
            share,
            run_id=self.run_id,
            answerer=answerer,
            journal=self._keeper,
            past=self._past,
            hibernation=hibernation,
            guide=self._guide,
        )
        run.kept, run.keeper = self, self._keeper
        self._outside = outside
        return run

    async def leave(self) -> None:
        """Give the run back as it was, where this host does not carry it out after all."""
        if not self._was_carried_out:
            before = Ending(Verdict.NOT_STARTED) if self.record is None else self.record.ending
            await give_back(self._store, self.run_id, self._keeper.epoch, before)

    def options(self, options: RunOptions) -> RunOptions:
        """Options with the modules, and the limits of the child, that the run had; which have them, stay."""
        if options is not self._options:
            own = options if self.record is None else as_made(options, self.record)
            own = with_limits(own, self.begun.limits, modules=self.begun.modules)
            self._options = self._held.ceilings.options(own)
        return self._options

    async def execute(self, run: Run) -> Outcome:
        """Carry out what `run` has made."""
        return await run.execute(self.begun.source, self.begun.args)

    async def ending(self, run: Run, execute: Callable[[str, Json], Awaitable[Outcome]]) -> Outcome:
        """Carry a run out; its end is written before it is told, unless the store takes nothing.

        Raises:
            Asleep: it is not over, and this host does not have it any more.
            RunError: as `Run.execute`; `Fenced` where another host has the run, `StoreFailed` where the store
                takes nothing more, `ReplayDiverged`.
        """
        self._was_carried_out = True
        run.tell_of_waking()  # before anything that it is given from outside
        for note in self._held.notes:
            run.driver.feed(Noted("", note))
        try:
            with self._hearing(run):
                outcome = await execute(self.begun.source, self.begun.args)
        except (Fenced, StoreFailed):
            raise
        except RunError as error:
            if run.driver.asleep is not None:
                raise await fall_asleep(self._store, self._keeper, run, self.expires_at) from None
            is_behind = run.is_behind and not isinstance(
                error, RunTimedOut | CancelRequested | ReplayDiverged
            )
            await self._end(Verdict.NOT_STARTED if is_behind else error.verdict, error, run.report)
            raise
        except BaseException as interruption:
            verdict = await verdict_here(interruption)
            with trio.CancelScope(shield=True):
                await self._end(verdict, None, run.report)
            raise
        is_kept = await self._end(Verdict.COMPLETED, None, run.report, result=outcome.result)
        return outcome if is_kept else not_kept(outcome, self._store.trouble)

    def _hearing(self, run: Run) -> AbstractContextManager[None]:
        if self._outside is None:
            return nullcontext()
        given = Given(self._store, self._keeper, run, partial(self._outside.forget, self.run_id))
        return self._outside.hearing(self.run_id, given, is_new=self.record is None)

    async def give_up(self, verdict: Verdict) -> None:
        """End a run that never had a life here."""
        with trio.CancelScope(shield=True):
            await self._end(verdict, None, None)

    async def _end(
        self, verdict: Verdict, error: RunError | None, report: Report | None, **result: Json
    ) -> bool:
        told: Any = None if error is None else explain(error)
        usage = None if report is None else report.usage.to_json()
        ending = Ending(verdict.value, error=told, usage=usage, **result)
        self._keeper.flush()
        run = (self.run_id, self._keeper.epoch)
        if self.is_left and (verdict is Verdict.HOST_SHUTDOWN or goes_again(self.record, verdict, error)):
            ticket = left(self._store, *run, self.record, verdict, error)
        else:
            settle = self._store.diverge if isinstance(error, ReplayDiverged) else self._store.end
            ticket = settle(*run, ending)
        return await last_word(self._store, ticket, verdict)


class _Run(Watched):
    """A run whose end is written; source and args are those of its store."""

    kept: KeptRun

    async def execute(self, _source: str, _args: Json) -> Outcome:
        return await self.kept.ending(self, super().execute)


async def take_up(
    store: Store,
    run_id: str,
    tenant: str | None = None,
    *,
    after: Asleep | None = None,
    even_if_cancelled: bool = False,
    handlers: frozenset[str] | None = None,
    ceilings: Ceilings = NO_CEILINGS,
) -> KeptRun:
    """Claim a run to go on with it.

    Args:
        store, run_id: of the run.
        tenant: whose it must be; None for anybody's.
        after: what its life before told, where it is woken; otherwise it may have ended, and is reopened.
        even_if_cancelled: whether it goes on where it was asked to end.
        handlers: names of the kinds of request that are answered; None where that is looked at later.
        ceilings: on its limits, whatever it was made with.

    Raises:
        UnknownRun: there is none; one of another tenant is none.
        NotResumable: it goes on, has ended by itself or by request, or has diverged.
        DamagedEntry: it cannot be read.
    """
    epoch = None if after is None else after.epoch
    is_ours = epoch is not None  # then one look tells everything
    if not is_ours:
        require_resumable(await store.get(run_id), tenant, even_if_cancelled, reopens=after is None)
    record = await store.load(run_id)  # what cannot be read is not claimed
    summary, before = record.summary, record.ending
    require_resumable(summary, tenant, even_if_cancelled, reopens=after is None)
    if handlers is not None:
        require_handlers(record, handlers)
    if epoch is None:
        epoch = await claimed(store, summary, before, reopen=after is None and summary.state == "ended")
    if epoch is None:
        raise GoesOn(run_id)
    await require_time(store, summary, epoch)
    try:
        record = record if is_ours else await as_claimed(store, record, epoch)
        held = await ceilings.hold(store, record, epoch)
        record = held.record or record
        past = past_of(record, store.now())
        past.emitted, past.sleeps = 0 if after is None else after.emitted, summary.sleeps
        if summary.state == "asleep":
            past.slept_seconds = max(0, store.now() - summary.updated_at) / 1000
        guide = await guide_of(store, record)
    except BaseException:
        await give_back(store, run_id, epoch, before)
        raise
    begun, record = begun_of(record.workflows[""]), record._replace(ending=before)
    keeper = Keeper(store, run_id, epoch, len(record.entries))
    return KeptRun(store, keeper, begun, record, past, guide, held)
