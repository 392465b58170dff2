"""A program without an event loop, such as a web server with threads, and one host for all of its threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from anyio.from_thread import start_blocking_portal

from flowcage import Handlers, Host, WorkflowFailed
from flowcage.agents import AgentAnswer, AgentCall


async def shout(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(call.prompt.upper())


def main() -> None:
    # The portal's thread runs trio. The host and its children live as long as the two blocks.
    with start_blocking_portal("trio") as portal, portal.wrap_async_context_manager(Host()) as host:

        def run(source: str, tenant: str) -> str:
            try:
                work = partial(host.run, source, tenant=tenant, handlers=Handlers(agent=shout))
                return f"{tenant}: {portal.call(work).result}"
            except WorkflowFailed as error:
                return f"{tenant}: {error.verdict}"

        with ThreadPoolExecutor() as threads:
            sources = ['export default agent("one")', "export default 2", 'throw new Error("three")']
            for line in threads.map(run, sources, ["a", "b", "c"]):
                print(line)


if __name__ == "__main__":
    main()
