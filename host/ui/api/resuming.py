"""Going on with a run from a page: `flowcage resume` as a process of its own, which outlives the server.

A run of the queue goes back into it.

It is the same command that a person types, so a page can do no more than that, and the run's folder, settings
and agents are those of its own process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import trio

from flowcage.host.durable.address import StorePlace, environment_for
from flowcage.host.durable.records import RunRecord
from flowcage.host.resume.looking import going_on
from flowcage.host.resume.new.requeued import queue_again
from flowcage.host.ui.api import ways
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.problems import Problem
from flowcage.host.ui.api.program import Program
from flowcage.host.ui.api.ways import Way


class Resuming:
    """Of one server.

    Args:
        program: the `flowcage` command; empty where runs are gone on with by somebody else.
        store: that it is given.
        words: further options for a way, or a `Problem` where a run is not gone on with in that way here.
    """

    def __init__(
        self,
        program: Sequence[str],
        store: StorePlace | None,
        words: Callable[[RunRecord, Way], Sequence[str]] = lambda _record, _way: (),
    ) -> None:
        self._program = Program(program, more=environment_for(store))
        self._store = store
        self._words = words

    async def ways(self, runs: KeptRuns, run_id: str) -> dict[str, Any]:
        """How a run can be gone on with here, and why not in the other ways."""
        record = await runs.record(run_id)
        found = await trio.to_thread.run_sync(ways.ways_of, record)
        refused = {each.name: why for each in found if (why := self._refusal(record, each))}
        return {
            "ways": [each.to_json() for each in found if each.name not in refused],
            "begunWith": ways.begun_with(record),
            **({"refused": refused} if refused else {}),
        }

    def _refusal(self, record: RunRecord, way: Way) -> str:
        try:
            self._words(record, way)
        except Problem as problem:
            return str(problem)
        return ""

    async def explain(self, runs: KeptRuns, run_id: str, given: dict[str, Any]) -> dict[str, Any]:
        """What would be reused and what would run, and why."""
        runs.require_acts()
        record, way = await self._way(runs, run_id, given)
        words = self._words(record, way)
        if not way.is_new:
            return await trio.to_thread.run_sync(going_on.explain, record)
        return await self._ask(run_id, way, "--dry-run", "--json", *words)

    async def start(self, runs: KeptRuns, run_id: str, given: dict[str, Any]) -> dict[str, Any]:
        """Go on with a run. The id of the run that goes on."""
        runs.require_acts()
        record, way = await self._way(runs, run_id, given)
        words = self._words(record, way)
        if record.summary.pool is not None and not way.is_new:
            again = way is ways.ALL_THE_SAME
            await queue_again(runs.store, run_id, runs.tenant, even_if_cancelled=again)
            return {"runId": run_id}
        return await self._ask(run_id, way, "--detach", "--quiet", "--no-prompt", *words)

    async def _way(self, runs: KeptRuns, run_id: str, given: dict[str, Any]) -> tuple[RunRecord, Way]:
        record = await runs.record(run_id)
        found = {each.name: each for each in await trio.to_thread.run_sync(ways.ways_of, record)}
        way = found.get(name) if isinstance(name := given.get("way"), str) else None
        if way is None:
            raise Problem(409, f"run {run_id} can be gone on with by: {', '.join(found) or 'nothing'}")
        return record, way

    async def _ask(self, run_id: str, way: Way, *words: str) -> dict[str, Any]:
        """Carry out the command, and read what it prints."""
        if self._store is None:
            raise Problem(409, "this server goes on with no runs")
        command = ["resume", *words, *way.words, "--store", str(self._store), "--", run_id]
        told: dict[str, Any] = await self._program.ask([*command, way.script] if way.script else command)
        return told
