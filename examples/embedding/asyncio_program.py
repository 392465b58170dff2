"""An asyncio program: runs are awaited, and agents answer, on its event loop."""

from __future__ import annotations

import asyncio

from flowcage import AgentAnswer, AgentCall, RunOptions
from flowcage.asyncio import Host


async def shout(call: AgentCall) -> AgentAnswer:
    """Stands for the client library of a model."""
    await asyncio.sleep(0)
    return AgentAnswer(call.prompt.upper())


async def main() -> None:
    async with Host(options=RunOptions(agent=shout)) as host:
        sources = ('export default agent("one")', "export default 2")
        outcomes = await asyncio.gather(*(host.run(source) for source in sources))
        print([outcome.result for outcome in outcomes])
        try:
            # Cancelling kills the child.
            await asyncio.wait_for(host.run("export default SW.extra.sleep(1e6)"), timeout=0.5)
        except TimeoutError:
            print("too slow")


if __name__ == "__main__":
    asyncio.run(main())
