"""Forks: new runs that are guided by what a run of the store was answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import trio

from flowcage.host.durable.errors import DamagedEntry, UnknownRun
from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.reuse.guide import Guide, Old
from flowcage.host.durable.reuse.old import old_of
from flowcage.host.durable.reuse.terms import NotForkable, Terms
from flowcage.host.durable.store import Store
from flowcage.host.outcome.errors import WorkflowFailed
from flowcage.host.resume.fold import begun_of
from flowcage.host.resume.reuse.held import require_fitting
from flowcage.host.run.api import check_workflow
from flowcage.host.run.core.inputs import Reused
from flowcage.host.run.options import RunOptions
from flowcage.host.run.phases import PhaseDefaults, may_have_defaults
from flowcage.protocol.messages import DIALECTS, MISSING, Dialect, Json, Missing

# Options that agents take from their phase, of each workflow of a run by its path.
PhasesOfRun = dict[str, dict[str, dict[str, Json]]]


class Fork(NamedTuple):
    """A run that is about to be guided by another.

    Attributes:
        parent: the run whose answers it reuses, as far as it has come by now.
        terms: what it reuses.
        old: what there is to reuse.
        source, source_name, args, dialect, modules: of the new run.
    """

    parent: RunRecord
    terms: Terms
    old: Old
    source: str
    source_name: str
    args: Json
    dialect: Dialect
    modules: Mapping[str, str]

    def options(self, options: RunOptions) -> RunOptions:
        """Options with the dialect of the source, and its modules."""
        return replace(options, dialect=self.dialect, modules=self.modules)

    def guide(self, options: RunOptions, idle: Callable[[], None] | None = None) -> Guide:
        """A guide for one run."""
        return Guide(self.old, options.agent_identity, programs=self.terms.programs, idle=idle)


async def fork_of(
    store: Store,
    run_id: str,
    terms: Terms,
    *,
    source: str | None = None,
    source_name: str | None = None,
    args: Json | Missing = MISSING,
    dialect: Dialect = "auto",
    modules: Mapping[str, str] | None = None,
    tenant: str | None = None,
) -> Fork:
    """Read what a run was answered. Of one that goes on, what is committed by now counts.

    Args:
        store: that has it.
        run_id: of the run.
        terms: what is reused.
        source, source_name, args, modules: of the new run; by default those of the old one.
        dialect: of the source, where one is given.
        tenant: whose the run is.

    Raises:
        UnknownRun: there is none; one of another tenant is none.
        NotForkable: the terms name what the run does not have, or an answer that its call does not take.
        DamagedEntry: it cannot be read.
    """
    record = await store.load(run_id)
    if tenant is not None and record.summary.tenant != tenant:
        raise UnknownRun(run_id)
    old = await _old(store, record, terms)
    await require_fitting(record, terms.answers)
    begun = begun_of(record.workflows[""])
    given = dialect if source is not None else begun.dialect
    return Fork(
        record,
        terms,
        old,
        begun.source if source is None else source,
        source_name or begun.source_name,
        begun.args if isinstance(args, Missing) else args,
        next(each for each in DIALECTS if each == given),
        begun.modules if modules is None else modules,
    )


async def guide_of(store: Store, record: RunRecord) -> Guide | None:
    """The guide of a fork that is gone on with, as far as the fork has come; None for a run that is none.

    Raises:
        NotForkable: what it reuses is not there any more.
    """
    summary, kept = record.summary, record.workflows[""].reuse
    if summary.forked_from is None or kept is None:
        return None
    try:
        parent = await store.load(summary.forked_from)
    except UnknownRun:
        raise NotForkable(
            f"run {summary.run_id} reuses answers of run {summary.forked_from}, which the store does not "
            "have; import that one first"
        ) from None
    terms = Terms.of_json(kept)
    guide = Guide(
        await _old(store, _until(parent, summary.forked_at), terms),
        record.workflows[""].agent,
        programs=terms.programs,
    )
    phases = await _phases_of(record)
    for entry in record.entries:
        try:
            guide.follow(entry.input, phases.get(getattr(entry.input, "path", ""), {}))
        except KeyError as missing:
            why = f"it reuses the call {missing} of run {summary.forked_from}, which has none"
            raise DamagedEntry(summary.run_id, entry.seq, why) from None
    return guide


def _until(record: RunRecord, entries: int | None) -> RunRecord:
    return record if entries is None else record._replace(entries=record.entries[:entries])


async def _old(store: Store, record: RunRecord, terms: Terms) -> Old:
    records = {record.summary.run_id: record}
    following = record
    while any(isinstance(each.input, Reused) for each in following.entries):
        parent = following.summary.forked_from
        if parent is None or parent in records:
            break
        try:
            loaded = await store.load(parent)
        except UnknownRun:
            break
        following = records[parent] = _until(loaded, following.summary.forked_at)
    phases = {name: await _phases_of(each) for name, each in records.items()}
    return await trio.to_thread.run_sync(old_of, record.summary.run_id, records, terms, phases)


async def _phases_of(record: RunRecord) -> PhasesOfRun:
    """From `meta.phases` of each of its workflows."""
    found: dict[str, Any] = {}
    phases: PhasesOfRun = {}
    for path, workflow in record.workflows.items():
        if not may_have_defaults(workflow.source):
            continue
        if workflow.source not in found:
            try:
                begun = begun_of(workflow)
                dialect = next(each for each in DIALECTS if each == begun.dialect)
                meta = (
                    await check_workflow(
                        workflow.source,
                        dialect=dialect,
                        source_name=workflow.source_name,
                        modules=workflow.modules,
                    )
                ).meta
            except WorkflowFailed:  # then its run was told so, too, and had no defaults
                meta = None
            found[workflow.source] = PhaseDefaults(meta).by_title
        phases[path] = found[workflow.source]
    return phases
