"""A well-behaved run beside an attack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from flowcage.host import AgentAnswer, AgentCall, RunOptions, run_workflow

from ..host.children import Launcher

# Between two of its runs, so that most of the processor is the attack's.
_PAUSE_SECONDS = 0.05
_SOURCE = """
const heard = [];
for (let i = 0; i < 20; i++) heard.push(await agent(`question ${i}`));
export default heard;
"""


async def answer(call: AgentCall) -> AgentAnswer:
    """An agent that has no more to say than it was asked."""
    return AgentAnswer(call.prompt)


@asynccontextmanager
async def bystander(launcher: Launcher) -> AsyncIterator[None]:
    """Run one workflow after another while the block goes on; every one must be served and complete."""
    over = False

    async def stand_by() -> None:
        while True:
            options = RunOptions(agent=answer, launcher=launcher, timeout_seconds=600)
            outcome = await run_workflow(_SOURCE, options=options)
            assert outcome.result == [f"question {number}" for number in range(20)]
            if over:
                return
            await trio.sleep(_PAUSE_SECONDS)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stand_by)
        yield
        over = True
