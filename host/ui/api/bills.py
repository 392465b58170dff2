"""What the agents of runs have cost, which only their history tells: read once for each state of a run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import trio

from flowcage.host.durable.errors import DamagedEntry, UnknownRun
from flowcage.host.durable.records import RunRecord
from flowcage.host.resume.looking.calls import costs_to_json
from flowcage.host.resume.looking.story import story_of
from flowcage.host.ui.api.kept import KeptRuns

AT_ONCE = 50
_KEPT = 5_000


class Bills:
    """Those that were read."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int, str], dict[str, Any]] = OrderedDict()
        self._turn = trio.Lock()  # each reads a whole history

    async def of(self, runs: KeptRuns, run_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """By run; one that cannot be read, or is gone by now, has none."""
        found: dict[str, dict[str, Any]] = {}
        for run_id in run_ids[:AT_ONCE]:
            with suppress(DamagedEntry, UnknownRun):
                found[run_id] = await self._of(runs, run_id)
        return found

    async def _of(self, runs: KeptRuns, run_id: str) -> dict[str, Any]:
        summary = await runs.summary(run_id)
        key = run_id, summary.entries, summary.state
        async with self._turn:
            if key not in self._known:
                record = await runs.store.load(run_id)
                self._known[key] = await trio.to_thread.run_sync(bill_of, record)
                if len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        return self._known[key]


def bill_of(record: RunRecord) -> dict[str, Any]:
    """Calls, tokens, dollars, and questions that wait for a person."""
    story = story_of(record)
    answered = {each.request for each in record.answers}
    is_over = record.summary.state in ("ended", "diverged")
    asks = [call for call in story.calls.values() if call.kind == "ask" and call.state == "open"]
    totals = story.totals
    return {
        "agents": totals.started,
        "failed": totals.failed + totals.refused,
        "questions": 0 if is_over else sum(call.id not in answered for call in asks),
        **costs_to_json(totals),
    }
