"""Once a run is over, no agent is asked: also where the task that ends it has not run yet."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall, RequestRejected
from flowcage.host.events.records import Event

from ..host.runs import failure

RETRIES = """
const asked = [1, 2, 3].map((n) => agent('first ' + n, {retry: {maxAttempts: 3}}).catch(String));
const last = agent('last').then(() => agent('afterwards'));
export default Promise.all([...asked, last]);
"""


async def agent(call: AgentCall) -> AgentAnswer:
    await trio.lowlevel.checkpoint()
    if call.prompt.startswith("first"):
        raise RequestRejected("busy")
    return AgentAnswer(1)


def asked_after(kind: str, position: int) -> tuple[Any, list[str]]:
    """The error of a run whose listener raises at one event, and the prompts that agents had afterwards."""
    heard: list[str] = []
    late: list[str] = []

    def listen(event: Event) -> None:
        name = event.to_json()["type"]
        heard.append(name)
        if name == kind and heard.count(kind) == position:
            raise KeyError(kind)

    async def watched(call: AgentCall) -> AgentAnswer:
        if heard.count(kind) >= position:
            late.append(call.prompt)
        return await agent(call)

    return failure(RETRIES, agent=watched, listener=listen, max_agents=2), late


@pytest.mark.parametrize("position", [1, 2, 3])
@pytest.mark.parametrize("kind", ["agent_queued", "agent_started", "agent_failed"])
def test_no_agent_is_asked_after_the_listener_has_failed(kind: str, position: int) -> None:
    for _ in range(5):  # trio runs the tasks of one batch in random order
        error, late = asked_after(kind, position)
        assert (error.verdict, late) == ("host_fault", [])
