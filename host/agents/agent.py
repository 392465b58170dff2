"""What an agent is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall

Agent: TypeAlias = Callable[[AgentCall], Awaitable[AgentAnswer]]
