"""A trio program that runs workflows for two tenants at once and answers one run's requests itself."""

from __future__ import annotations

from functools import partial

import trio

from flowcage import AgentAnswer, AgentCall, Handlers, Host, TenantLimits
from flowcage.events import Requested

SOURCE = "export default async ({ name }) => agent(`hello, ${name}`)"


async def shout(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(call.prompt.upper(), tokens=len(call.prompt))


async def greet(host: Host, tenant: str, name: str) -> None:
    outcome = await host.run(SOURCE, tenant=tenant, args={"name": name}, handlers=Handlers(agent=shout))
    print(f"{tenant}: {outcome.result}")


async def main() -> None:
    limits = {"acme": TenantLimits(max_runs=10, weight=2.0)}
    async with Host(tenants=limits) as host:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(greet, host, "acme", "Ada")
            nursery.start_soon(partial(greet, host, "globex", "Grace"))
        async with host.open_run(SOURCE, tenant="acme", args={"name": "Edsger"}) as run:
            async for event in run:
                if isinstance(event, Requested):
                    run.answer(event.request.id, "hello to you, too")
            print((await run.outcome()).result)


if __name__ == "__main__":
    trio.run(main)
