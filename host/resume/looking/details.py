"""A kept run as a value: what `Host.get` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from flowcage.host.durable.errors import UnknownRun
from flowcage.host.durable.records import Summary
from flowcage.host.durable.store import Store
from flowcage.host.outcome.report import Census
from flowcage.host.resume.looking.calls import RunCall
from flowcage.host.resume.looking.story import story_of
from flowcage.host.run.reporting import census_of
from flowcage.protocol.messages import MISSING, Json, Missing

RunSummary: TypeAlias = Summary


class RunDetails(NamedTuple):
    """A kept run with what it has done.

    Attributes:
        summary: its state, verdict, times and sizes.
        calls: of its whole tree, in the order in which they were made.
        workflows: name of the source of each workflow of the tree, by path; "" is the root.
        census: counts of its agent calls.
        tokens, cost_usd: of all answers.
        result: `MISSING` where it has none.
        error: as ``flowcage run`` prints it; None where there is none.
    """

    summary: RunSummary
    calls: tuple[RunCall, ...]
    workflows: Mapping[str, str]
    census: Census
    tokens: int
    cost_usd: float
    result: Json | Missing
    error: Json


async def details_of(store: Store, run_id: str, tenant: str | None = None) -> RunDetails:
    """A run of a store.

    Raises:
        UnknownRun: there is none; one of another tenant is none.
        DamagedEntry: it cannot be read.
    """
    await summary_of(store, run_id, tenant)
    record = await store.load(run_id)
    story, ending = story_of(record), record.ending
    return RunDetails(
        record.summary,
        tuple(story.calls.values()),
        story.workflows,
        census_of(story.totals),
        story.totals.tokens,
        story.totals.cost_usd,
        MISSING if ending is None else ending.result,
        None if ending is None else ending.error,
    )


async def summary_of(store: Store, run_id: str, tenant: str | None = None) -> RunSummary:
    """A run of a store without its history. Raises `UnknownRun`."""
    summary = await store.get(run_id)
    if tenant is not None and summary.tenant != tenant:
        raise UnknownRun(run_id)
    return summary
