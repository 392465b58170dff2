"""What clients do with the runs of the host's store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import trio

from flowcage.host.agents.people import Option, Question
from flowcage.host.durable.errors import StoreError, StoreFailed, UnknownRun
from flowcage.host.durable.records import Filter, RunRecord, State, Summary
from flowcage.host.durable.store import Store
from flowcage.host.events.records import QuestionAsked
from flowcage.host.outcome.errors import FlowcageError, RunCancelled
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.looking.going_on import explain
from flowcage.host.resume.looking.watching import changes, may_change
from flowcage.host.resume.questions import open_questions
from flowcage.host.resume.refusals import NotResumable, require_resumable
from flowcage.host.resume.sleep.outcomes import outcome_of
from flowcage.host.rpc.problems import Refusal
from flowcage.host.rpc.queueing import Queueing
from flowcage.host.rpc.run import RpcRun
from flowcage.host.rpc.runs import Runs
from flowcage.host.rpc.settings import Settings, run_id_of
from flowcage.host.rpc.told import outcomes
from flowcage.host.rpc.told.rows import cursor_of, kept_row_of, limit_of, place_of
from flowcage.host.tenants.host import Host
from flowcage.protocol.messages import MISSING, Missing

if TYPE_CHECKING:
    from flowcage.host.rpc.client import Client, Late, Params
    from flowcage.host.rpc.methods import Methods

_OVER = ("ended", "diverged")
_CALLS = 2_000
_MARK_SECONDS = 5.0


class Kept:
    """Those of one tenant.

    Args:
        host: that has the store.
        store: of it.
        runs: of this process.
        settings: of the host.
    """

    def __init__(self, host: Host, store: Store, runs: Runs, settings: Settings) -> None:
        self.host = host
        self._store = store
        self._runs = runs
        self._settings = settings
        self._tenant = settings.tenant
        self.queueing = Queueing(store, settings)

    async def get(self, run_id: str, run: RpcRun | None) -> dict[str, Any]:
        """How a run stands."""
        record = await self._record(run_id)
        told: dict[str, Any] = {"run": kept_row_of(record.summary, run), "questions": []}
        if record.summary.state in _OVER:
            told["outcome"] = await trio.to_thread.run_sync(_outcome, record)
        elif run is not None and not run.over.is_set():  # the store may not have the last of them yet
            told["questions"] = [_question(_asked(each)) for each in run.questions.values()]
        else:
            found = await trio.to_thread.run_sync(open_questions, record)
            told["questions"] = [_question(each) for each in found]
        return told

    async def list(self, params: Params, runs: Runs) -> dict[str, Any]:
        """Some runs."""
        state, most = params.get("state"), limit_of(params)
        is_abandoned = None if state not in ("running", "abandoned") else state == "abandoned"
        kept = "running" if state == "abandoned" else state
        states = [each for each in get_args(State) if each == kept] or None
        which = Filter(self._tenant, states, limit=most + 1, before=place_of(params), abandoned=is_abandoned)
        found = [kept_row_of(each, runs.going_on(each.run_id)) for each in await self._store.runs(which)]
        return {"runs": found[:most], "next": cursor_of(found[most - 1]) if len(found) > most else None}

    async def outcome(self, run_id: str) -> dict[str, Any]:
        """How a run has ended."""
        return await trio.to_thread.run_sync(_outcome, await self._store.load(run_id))

    async def has_gone_on(self, run: RpcRun) -> bool:
        """Whether another host has gone on with a run that is over here."""
        if not run.over.is_set() or run.outcome["verdict"] == "completed":
            return False
        try:
            summary = await self.summary(run.run_id)
        except (UnknownRun, StoreFailed):  # it was removed, or cannot be looked at
            return False
        if summary.state in _OVER:
            return bool(summary.verdict != run.outcome["verdict"])
        return summary.owner not in (None, self._store.owner)

    async def wait(self, run_id: str) -> None:
        """Wait for the end of a run that this process does not have."""
        await self.summary(run_id)
        async for summary in changes(self._store, run_id):
            if summary.state in _OVER:
                return
            is_left = summary.state == "asleep" and summary.pool is None  # nobody here wakes it
            if is_left or not may_change(summary):
                break
        why = f"no host has run {run_id} any more, or it is asleep; run.resume goes on with it"
        raise Refusal("run_abandoned", why, runId=run_id)

    async def is_over(self, run_id: str) -> bool:
        """Whether a run has ended, or nobody here has it."""
        return (await self.summary(run_id)).state in _OVER

    async def cancel(self, run_id: str, reason: str) -> str:
        """End a run that this process does not have, or have its host do so."""
        return await self.host.cancel(run_id, reason, tenant=self._tenant)

    async def mark_cancelled(self, run_id: str, reason: str) -> None:
        """Note that a run of this process is to end, so that it is not gone on with by itself.

        It ends all the same where the store takes nothing.
        """
        with suppress(StoreError, StoreFailed), trio.move_on_after(_MARK_SECONDS):
            await self._store.cancel(run_id, reason)

    async def resume(
        self, methods: Methods, client: Client, params: Params
    ) -> tuple[Params | Late, Callable[[], None] | None]:
        """Go on with a run, or say what that would reuse."""
        run_id = params["runId"]
        summary = await self.summary(run_id)
        if self._runs.going_on(run_id) is not None and params.get("way") != "fork":
            raise NotResumable(f"run {run_id} goes on already, in this host")
        way = params.get("way") or ("fork" if params.keys() & {"source", "args"} else "resume")
        options, seconds = self._settings.chosen("run.resume", params)
        new_id = run_id_of("run.resume", "newRunId", params) if way == "fork" else run_id
        run = methods.new_run(new_id, params.get("sourceName") or summary.source_name, client, seconds)
        chosen = run.options(options)
        if not params.get("start", False):
            run.ready.set()
            return partial(self._explained, run_id, way, params, chosen), None
        again = params.get("evenIfCancelled", False)
        if way == "resume":
            await self._require_cost(run_id)
        if self._settings.queue is not None or (way == "resume" and summary.pool is not None):
            queued = await self.queueing.go_on(client, summary, way, params)
            return {"runId": queued.run_id, "way": way, "started": True}, queued.begin
        if way == "resume":
            handle = await self.host.start_resume(
                run_id, tenant=self._tenant, options=chosen, even_if_cancelled=again
            )
        else:
            given = {"tenant": self._tenant, "options": chosen, "new_run_id": new_id, **_fork(params)}
            handle = await self.host.start_fork(run_id, **given)
        self._runs.follow(run, handle)
        return {"runId": new_id, "way": way, "started": True}, methods.begin(client, run, params)

    async def _explained(self, run_id: str, way: str, params: Params, options: Any) -> dict[str, Any]:
        told = await self._explanation(run_id, way, params, options)
        return {"runId": run_id, "way": way, "started": False, "explanation": told}

    async def _explanation(self, run_id: str, way: str, params: Params, options: Any) -> dict[str, Any]:
        if way == "fork":
            given = _fork(params)
            found = await self.host.explain_fork(run_id, tenant=self._tenant, options=options, **given)
            return {**found.to_json(), "calls": [each.to_json() for each in found.calls[:_CALLS]]}
        record = await self._record(run_id)
        require_resumable(record.summary, self._tenant, params.get("evenIfCancelled", False))
        return await trio.to_thread.run_sync(explain, record)

    async def _require_cost(self, run_id: str) -> None:
        """Refuse to go on with a run that may cost more than runs of this host. Raises `NotResumable`."""
        most = self._settings.options.max_cost_usd
        if most is None:
            return
        cost = (await self._store.load(run_id)).rules.max_cost_usd
        if cost is None or cost > most:
            had = "without a ceiling on its cost" if cost is None else f"with a ceiling of ${cost:g}"
            raise NotResumable(
                f"run {run_id} was begun {had}, and this host allows ${most:g}; a fork is held to that"
            )

    async def _record(self, run_id: str) -> RunRecord:
        await self.summary(run_id)
        return await self._store.load(run_id)

    async def summary(self, run_id: str) -> Summary:
        """A run without its history; of another tenant there is none."""
        summary = await self._store.get(run_id)
        require_own(summary.tenant, self._tenant, run_id)
        return summary


def require_own(tenant: str, own: str, run_id: str) -> None:
    """Refuse a run of another tenant, as one that there is not."""
    if tenant != own:
        raise Refusal("unknown_run", f"there is no run {run_id[:100]!r}", runId=run_id)


def _fork(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": params.get("source"),
        "source_name": params.get("sourceName"),
        "args": params.get("args", MISSING),
        "from_call": params.get("fromCall"),
    }


def _outcome(record: RunRecord) -> dict[str, Any]:
    run_id = record.summary.run_id
    try:
        ended: Outcome = outcome_of(record)
    except RunCancelled as error:
        assert record.ending is not None
        asked = record.summary.cancel
        why = f"{outcomes.CANCELLED}: {asked.reason}" if asked is not None and asked.reason else str(error)
        return outcomes.interrupted(run_id, record.ending.verdict, why, None)
    except FlowcageError as error:
        return outcomes.failed(run_id, error, None, None)
    return outcomes.completed(ended)


def _asked(event: QuestionAsked) -> Question:
    schema = None if isinstance(event.schema, Missing) else event.schema
    given: Any = [] if isinstance(event.options, Missing) else event.options
    options = tuple(Option(str(each["label"]), each["value"]) for each in given)
    return Question(event.root_run_id, event.question_id, event.question, schema, options, event.label)


def _question(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "question": question.question,
        "label": question.label,
        "schema": question.schema,
        "options": [option.label for option in question.options],
        "takesText": question.takes_text,
    }
