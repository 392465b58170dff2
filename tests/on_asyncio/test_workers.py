"""A host of flowcage.asyncio that takes runs from the queue of its store, and a program that submits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from flowcage import RunOptions, SqliteStore
from flowcage.asyncio import Host, submit_workflow
from flowcage.events import Event

from .loops import EACH_LOOP, Gate, run_on

ASKS = 'export default await agent("x")'


@EACH_LOOP
def test_what_was_submitted_or_started_is_carried_out(
    loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    async def main() -> None:
        store, gate, events = SqliteStore.open(tmp_path / "runs.db"), Gate(), list[Event]()
        gate.released.set()
        options = RunOptions(agent=gate, listener=events.append)
        try:
            run_id = await submit_workflow(store, ASKS, key="once")
            assert await submit_workflow(store, ASKS, key="once") == run_id
            async with Host(store=store, worker=True, options=options) as host:
                for chosen in (options, host.options(None, None, None), RunOptions(max_agents=2)):
                    handle = await host.start(ASKS, options=chosen)
                    assert (await handle.outcome()).result == "X"
                again = await host.start(ASKS, key="once")
                assert (again.run_id, (await again.outcome()).result) == (run_id, "X")
                for foreign in (RunOptions(agent=Gate()), RunOptions(listener=list[Event]().append)):
                    with pytest.raises(ValueError, match="of this call alone"):
                        await host.start(ASKS, options=foreign)
        finally:
            await asyncio.to_thread(store.close)

    run_on(loop, main)
