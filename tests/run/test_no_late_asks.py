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


def test_no_agent_is_asked_between_a_throw_and_its_report() -> None:
    """The child tells of a failure in two replies; between them others may have given their places back."""
    source = """
    const first = agent('first');
    for (let n = 0; n < 400; n++) agent('waits ' + n);
    await first;
    log('about to fail');
    throw new Error('failed');
    """
    for _ in range(5):
        asked: list[str] = []
        asked_by_then: list[int] = []

        async def instant(call: AgentCall, asked: list[str] = asked) -> AgentAnswer:
            asked.append(call.prompt)
            await trio.sleep(0 if call.prompt == "first" else 0.0002)
            return AgentAnswer(1)

        def listen(event: Event, asked: list[str] = asked, then: list[int] = asked_by_then) -> None:
            if event.to_json()["type"] == "log":
                then.append(len(asked))

        error = failure(source, agent=instant, listener=listen, max_agents=5)
        assert (error.verdict, asked_by_then) == ("failed", [len(asked)])
