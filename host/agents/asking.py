"""One question to an agent, and whether its answer is of use."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import WrongAnswer
from flowcage.host.agents.schema.checks import SchemaChecks
from flowcage.host.agents.sendable import require_sendable
from flowcage.host.outcome.errors import RequestRejected
from flowcage.protocol import strictjson


class Reply(NamedTuple):
    """What came of the question.

    Attributes:
        answer: the agent's, right or wrong; its tokens were used either way.
        problem: why it is not what the call's schema asks for; None for an answer of use.
        refusal: why there is none of use, for a reason that showing it to the agent does not mend.
    """

    answer: AgentAnswer
    problem: str | None = None
    refusal: str | None = None

    @property
    def text(self) -> str:
        """The answer as text."""
        value = self.answer.value
        return value if isinstance(value, str) else strictjson.dumps(value)


async def ask(
    agent: Agent,
    call: AgentCall,
    *,
    schemas: SchemaChecks | None,
    max_bytes: int,
    hear: Callable[[AgentAnswer], None] = lambda _answer: None,
) -> Reply:
    """Ask an agent once, and hold its answer to the call's schema.

    Args:
        agent: the handler.
        call: as the workflow made it.
        schemas: applies the call's schema; None will do where it has none.
        max_bytes: of the answer as JSON.
        hear: is given the answer where its check takes a process, before that.

    Raises:
        SchemaRefused: the call's schema cannot be applied; the agent was not asked.
        RequestRejected: the agent's own; `WrongAnswer`, too, where the call has no schema.
        TypeError: the handler returned something other than an `AgentAnswer`.
    """
    schema = None if schemas is None or call.schema is None else await schemas.admit(call.schema)
    try:
        answer = await agent(call)
    except WrongAnswer as wrong:
        if schema is None:
            raise
        answer = AgentAnswer(
            wrong.text or "", wrong.tokens, wrong.usage, wrong.cost_usd, wrong.model, provider=wrong.provider
        )
        hear(answer)
        return Reply(answer, problem=str(wrong))
    if not isinstance(answer, AgentAnswer):
        raise TypeError(f"an agent must return an AgentAnswer, not {type(answer).__name__}")
    try:
        require_sendable(answer.value, max_bytes)
        if schema is None or schema.accepts(answer.value):
            return Reply(answer)
        hear(answer)
        return Reply(answer, await schema.ask_checker(answer.value))
    except RequestRejected as refusal:
        return Reply(answer, refusal=str(refusal))
