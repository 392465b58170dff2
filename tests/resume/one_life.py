"""One life of a kept run in this process: the first begins it, each later one takes it up."""

from __future__ import annotations

from pathlib import Path

import trio

from flowcage import RunOptions, SqliteStore
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.protocol.messages import Json


async def one_life(
    folder: Path, number: int, source: str, given: RunOptions, scopes: list[trio.CancelScope]
) -> Json:
    """The result; None where the scope of this life, which is appended to `scopes`, was cancelled."""
    store = SqliteStore.open(folder / "runs.db", durability="relaxed")
    try:
        with trio.CancelScope() as scope:
            scopes.append(scope)
            if number == 0:
                kept = await begin(store, "run", source, "w.js", {}, given)
            else:
                kept = await take_up(store, "run")
            return (await kept.execute(kept.run(given))).result
        return None
    finally:
        await store.aclose()
