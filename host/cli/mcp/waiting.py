"""Waiting for a run, with progress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import trio

from flowcage.host.cli.mcp.desk import Desk
from flowcage.host.ui.api import looking

Progress: TypeAlias = Callable[[float, str], Awaitable[None]]

SECONDS = 50  # many clients give a tool a minute
MOST_SECONDS = 3_600


async def wait(desk: Desk, run_id: str, seconds: float, progress: Progress) -> str:
    """Wait, and tell why no longer.

    Args:
        desk: of the server.
        run_id: of the run.
        seconds: at most.
        progress: is told of each change.
    """
    await desk.runs.summary(run_id)
    with trio.move_on_after(seconds):
        async with aclosing(looking.changes_of(desk.runs, desk.sources, run_id)) as changes:
            count = 0
            asks: dict[str, bool] = {}
            async for _, news in changes:
                count += 1
                await progress(count, _words(news["run"]))
                asks |= {
                    each["id"]: each["state"] == "open" for each in news["calls"] if each["kind"] == "ask"
                }
                has_asks = any(asks.values()) and news["run"]["cancel"] is None
                why = await _why(desk, run_id, news["run"]["state"], has_asks=has_asks)
                if why is not None:
                    return why
    return f"{seconds} seconds are over; the run goes on"


async def _why(desk: Desk, run_id: str, state: str, *, has_asks: bool) -> str | None:
    if state in ("ended", "diverged"):
        return "it has ended"
    if state == "abandoned" and (await desk.runs.summary(run_id)).pool is None:
        return "the process that had it is gone; resume goes on with it"
    if has_asks and await looking.questions_of(desk.runs, run_id):
        return "it waits for a person; answer answers"
    return None


def _words(run: dict[str, Any]) -> str:
    census = run["census"]
    failed = census["failed"] + census["refused"]
    return (
        f"{run['state']}: {census['started']} agents asked, {failed} failed, {run['usage']['tokens']} tokens"
    )
