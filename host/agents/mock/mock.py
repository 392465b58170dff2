"""The agent without a model or a program: its answers are made up, or taken from a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError
from flowcage.host.agents.held import require_share
from flowcage.host.agents.mock.echo import echo

if TYPE_CHECKING:
    from flowcage.host.agents.mock.fixtures import Fixture


def mock(fixtures: tuple[Fixture, ...] | None = None) -> Agent:
    """Make an agent that costs nothing.

    Args:
        fixtures: the answers, see `read_fixtures`; a call that none of them fits is refused. None makes the
            answers up: the prompt again, or a small value that satisfies the schema.
    """
    source: Agent = echo
    if fixtures is not None:
        from flowcage.host.agents.mock.fixtures import answers_from

        source = answers_from(fixtures)

    async def answer(call: AgentCall) -> AgentAnswer:
        try:
            made = await source(call)
        except AgentError as error:
            require_share(call, "agent 'mock'", usd=error.cost_usd or 0.0, tokens=error.tokens)
            raise
        require_share(call, "agent 'mock'", usd=made.cost_usd, tokens=made.tokens)
        if made.session_id is None and call.options.get("handle"):
            # Its conversations hold nothing, but a workflow that goes on with one can be tried out.
            return replace(made, session_id=f"mock-{call.key}")
        return made

    return answer
