"""An asyncio program: the host runs on trio in a thread, agents answer on asyncio's event loop."""

from __future__ import annotations

import asyncio
from functools import partial

import trio
from anyio.from_thread import start_blocking_portal

from flowcage import AgentAnswer, AgentCall, Handlers, Host, Outcome


async def shout(prompt: str) -> str:
    """Runs on asyncio, like the client library of a model."""
    await asyncio.sleep(0)
    return prompt.upper()


class AsyncioAgent:
    """An agent of the host that works on asyncio's event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        done, token = trio.Event(), trio.lowlevel.current_trio_token()
        future = asyncio.run_coroutine_threadsafe(shout(call.prompt), self._loop)
        future.add_done_callback(lambda _: token.run_sync_soon(done.set))
        try:
            await done.wait()
        finally:
            future.cancel()  # where the run ends first
        return AgentAnswer(future.result())


async def main() -> None:
    with start_blocking_portal("trio") as portal, portal.wrap_async_context_manager(Host()) as host:
        handlers = Handlers(agent=AsyncioAgent())

        async def run(source: str) -> Outcome:
            work = partial(host.run, source, handlers=handlers)
            return await asyncio.wrap_future(portal.start_task_soon(work))

        outcomes = await asyncio.gather(run('export default agent("one")'), run("export default 2"))
        print([outcome.result for outcome in outcomes])
        try:
            # Cancelling kills the child.
            await asyncio.wait_for(run("export default SW.extra.sleep(1e6)"), timeout=0.5)
        except TimeoutError:
            print("too slow")


if __name__ == "__main__":
    asyncio.run(main())
