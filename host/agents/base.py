"""The interface between a run and what answers its ``agent()`` calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from flowcage.host.outcome.errors import RequestRejected
from flowcage.protocol.messages import Json


@dataclass(frozen=True)
class AgentCall:
    """One ``agent(prompt, options)``.

    Attributes:
        id: the request's number, unique in its run.
        prompt: any text, also with lone surrogates.
        options: empty where the workflow gave none. ``model`` and ``provider`` may come from its `meta`.
        problem: what was wrong with the first answer to this call, where it is asked for a second one.
    """

    id: str
    prompt: str
    options: Mapping[str, Json]
    problem: str | None = None

    @property
    def schema(self) -> Json:
        """The JSON Schema that the answer must satisfy; None where any text is an answer."""
        return self.options.get("schema")


@dataclass(frozen=True)
class AgentAnswer:
    """The answer to one ``agent()`` call.

    Attributes:
        value: text, or the JSON value that the call's schema asks for; the run checks it.
        tokens: that the agent reports to have used; 0 if it does not report any.

    Raises:
        ValueError: tokens are negative or not whole.
    """

    value: Json
    tokens: int = 0

    def __post_init__(self) -> None:
        if type(self.tokens) is not int or self.tokens < 0:
            raise ValueError(f"tokens must be a whole number of 0 or more, not {self.tokens!r}")


class AgentError(RequestRejected):
    """An agent has no answer; the workflow's ``agent()`` rejects with this message."""


class WrongAnswer(AgentError):
    """The agent's answer does not satisfy the call's schema; it is asked for once more."""


class AgentSpecError(ValueError):
    """A text such as ``--agent`` takes does not name an agent."""


Agent: TypeAlias = Callable[[AgentCall], Awaitable[AgentAnswer]]
