"""Going on with a kept run: first what that reuses and what it asks, then the run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import trio

from flowcage.host.asgi.side import Side
from flowcage.host.asgi.submission import require_members, text_of
from flowcage.host.durable.records import RunRecord
from flowcage.host.resume.looking import going_on
from flowcage.host.resume.new.requeued import queue_again, queue_fork
from flowcage.host.run.options import RunOptions
from flowcage.host.ui.api import ways
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.problems import Problem
from flowcage.host.ui.api.ways import Way
from flowcage.protocol.messages import MISSING

# The way of a client that sends another source.
EDITED = Way("edited", "Run the source that is sent, with what was answered, in a new run", is_new=True)
_MEMBERS = ("way", "source", "sourceName", "modules", "args")


async def ways_of(runs: KeptRuns, run_id: str) -> dict[str, Any]:
    """How a run can be gone on with; on trio."""
    return {"ways": [each.to_json() for each in await _open_ways(runs, run_id)]}


async def explain(
    side: Side, runs: KeptRuns, run_id: str, given: Mapping[str, Any], options: RunOptions | None
) -> dict[str, Any]:
    """What would be reused and what would be asked, and why; nobody is asked."""
    way = await _way(side, runs, run_id, given)
    if not way.is_new:
        return await side.call(partial(_explained, runs, run_id))
    found = await side.host.explain_fork(run_id, **_edited(given), tenant=runs.tenant or "", options=options)
    return found.to_json()


async def start(
    side: Side,
    runs: KeptRuns,
    run_id: str,
    given: Mapping[str, Any],
    options: RunOptions | None,
    queue: str | None,
) -> str:
    """Go on with a run, in a task of the host's, or by a worker; the id of the run that goes on."""
    way = await _way(side, runs, run_id, given)
    tenant, again = runs.tenant or "", way is ways.ALL_THE_SAME
    if way.is_new and queue is not None:
        modules = {} if options is None else {"modules": options.modules}
        most = side.host.options(None, None, options).max_cost_usd
        what = {**_edited(given), **modules, "pool": queue, "max_cost_usd": most}
        return await side.call(partial(queue_fork, side.store, run_id, tenant, **what))
    if way.is_new:
        fork = await side.host.start_fork(run_id, **_edited(given), tenant=tenant, options=options)
        return fork.run_id
    if (await side.call(partial(runs.summary, run_id))).pool is not None:
        await side.call(partial(queue_again, side.store, run_id, tenant, even_if_cancelled=again))
        return run_id
    handle = await side.host.start_resume(run_id, tenant=tenant, options=options, even_if_cancelled=again)
    return handle.run_id


async def _way(side: Side, runs: KeptRuns, run_id: str, given: Mapping[str, Any]) -> Way:
    require_members(given, _MEMBERS)
    found = {each.name: each for each in await side.call(partial(_open_ways, runs, run_id))}
    way = found.get(text_of(given, "way") if "way" in given else "")
    if way is None:
        raise Problem(409, f"run {run_id} can be gone on with by: {', '.join(found)}")
    if (way is EDITED) != ("source" in given) or not (way is EDITED or given.keys() <= {"way", "args"}):
        raise Problem(422, f"source goes with the way {EDITED.name!r}, and with no other")
    if "args" in given and not way.is_new:
        raise Problem(422, f"args: the way {way.name!r} goes on with those that the run has")
    return way


async def _open_ways(runs: KeptRuns, run_id: str) -> list[Way]:
    return [*ways.ways_of_kept(await runs.summary(run_id)), EDITED]


async def _explained(runs: KeptRuns, run_id: str) -> dict[str, Any]:
    record: RunRecord = await runs.record(run_id)
    return await trio.to_thread.run_sync(going_on.explain, record)


def _edited(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a fork."""
    texts = {
        field: text_of(given, name)
        for name, field in (("source", "source"), ("sourceName", "source_name"))
        if name in given
    }
    return texts | {"args": given.get("args", MISSING)}
