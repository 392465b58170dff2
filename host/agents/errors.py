"""How an agent fails to answer."""

from __future__ import annotations

from typing import Any

from flowcage.host.agents.answer import AgentUsage, require_cost, tokens_of
from flowcage.host.outcome.errors import RequestRejected


class AgentError(RequestRejected):
    """An agent has no answer; the workflow's ``agent()`` rejects with this message.

    Attributes:
        tokens, usage, cost_usd, model: what the attempt cost all the same; as those of `AgentAnswer`. Without
            any of them it has cost nothing.
        provider: as that of `AgentAnswer`.
    """

    def __init__(
        self,
        message: str,
        *,
        tokens: int = 0,
        usage: AgentUsage | None = None,
        cost_usd: float | None = None,
        model: str | None = None,
        provider: str | None = None,
    ) -> None:
        super().__init__(message)
        self.tokens = tokens_of(tokens, usage)
        self.usage = usage
        if cost_usd:
            require_cost(cost_usd)
        self.cost_usd = cost_usd
        self.model = model
        self.provider = provider


class WrongAnswer(AgentError):
    """The agent answered, but not with what the call's schema asks for; it is asked once more.

    Attributes:
        text: the answer, as far as it is text.
    """

    def __init__(self, message: str, text: str | None = None, tokens: int = 0, **spent: Any) -> None:
        super().__init__(message, tokens=tokens, **spent)
        self.text = text


class ShareTooSmall(AgentError):
    """A call cannot be answered with the share that it may spend beside others (`AgentCall.is_held`).

    It is asked again when there is a larger one, or when no other call is at work. An agent that finds it out
    beforehand has spent nothing.

    Attributes:
        needs_usd, needs_tokens: the share that it takes; None for one that is not known, so that the call has
            to be asked alone.
    """

    def __init__(
        self,
        message: str,
        *,
        needs_usd: float | None = None,
        needs_tokens: int | None = None,
        **spent: Any,
    ) -> None:
        super().__init__(message, **spent)
        self.needs_usd = needs_usd
        self.needs_tokens = needs_tokens


class OptionNotHonoured(AgentError):
    """The call has an option that the agent cannot follow. Nothing was spent, and no attempt can help."""


class AgentsUnavailable(AgentError):
    """No call of this agent can be answered.

    Its account has no credit, no quota, or is not known; or nobody is there to be asked.
    """


class AgentSpecError(ValueError):
    """A text such as ``--agent`` takes does not name an agent."""
