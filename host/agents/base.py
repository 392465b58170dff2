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
        prompt: any text; a lone surrogate may be in it.
        options: empty where the workflow gave none. ``model`` and ``provider`` may come from its `meta`.
        problem: what was wrong with the answer to the same call, where this asks once more; else None.
    """

    id: str
    prompt: str
    options: Mapping[str, Json]
    problem: str | None = None

    @property
    def schema(self) -> Json:
        """The JSON Schema that the answer must satisfy; None when any text will do."""
        return self.options.get("schema")


@dataclass(frozen=True)
class AgentAnswer:
    """What the workflow gets.

    Attributes:
        value: text, or the JSON value that the call's schema asks for; whoever asked checks it.
        tokens: what the agent reported to have used; 0 when it did not say.
    """

    value: Json
    tokens: int = 0

    def __post_init__(self) -> None:
        if type(self.tokens) is not int or self.tokens < 0:
            raise ValueError(f"tokens must be a whole number of 0 or more, not {self.tokens!r}")


class AgentError(RequestRejected):
    """An agent has no answer; the workflow's ``agent()`` rejects with this message."""


class WrongAnswer(AgentError):
    """The agent answered, but not with what the call's schema asks for; it is asked once more."""


class AgentSpecError(ValueError):
    """The text names no agent."""


Agent: TypeAlias = Callable[[AgentCall], Awaitable[AgentAnswer]]
