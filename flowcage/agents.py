"""Agents, which answer ``agent()``: the types of a call and its answer, and agents by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage.host.agents.agent import Agent as Agent
    from flowcage.host.agents.answer import (
        AgentAnswer as AgentAnswer,
        AgentUsage as AgentUsage,
        Progress as Progress,
    )
    from flowcage.host.agents.call import AgentCall as AgentCall
    from flowcage.host.agents.compose.aliased import aliased as aliased, pinned as pinned
    from flowcage.host.agents.compose.cached import AnswerStore as AnswerStore, cached as cached
    from flowcage.host.agents.compose.priced import priced as priced
    from flowcage.host.agents.compose.route import Route as Route, route as route
    from flowcage.host.agents.compose.typed import typed as typed
    from flowcage.host.agents.compose.worktree import Worktrees as Worktrees, worktree as worktree
    from flowcage.host.agents.errors import (
        AgentError as AgentError,
        AgentsUnavailable as AgentsUnavailable,
        AgentSpecError as AgentSpecError,
        OptionNotHonoured as OptionNotHonoured,
        ShareTooSmall as ShareTooSmall,
        WrongAnswer as WrongAnswer,
    )
    from flowcage.host.agents.honour import require_honoured as require_honoured
    from flowcage.host.agents.mock.mock import mock as mock
    from flowcage.host.agents.mock.fixtures import (
        FixturesError as FixturesError,
        read_fixtures as read_fixtures,
    )
    from flowcage.host.agents.settings import AgentSettings as AgentSettings
    from flowcage.host.agents.spec import parse_agent as parse_agent
    from flowcage.host.agents.types.agent_type import AgentType as AgentType
    from flowcage.host.agents.types.folders import AgentTypes as AgentTypes, TypesFolder as TypesFolder

# Public names, by the module that each is imported from.
_HOMES = {
    "flowcage.host.agents.agent": ("Agent",),
    "flowcage.host.agents.answer": ("AgentAnswer", "AgentUsage", "Progress"),
    "flowcage.host.agents.call": ("AgentCall",),
    "flowcage.host.agents.compose.aliased": ("aliased", "pinned"),
    "flowcage.host.agents.compose.cached": ("AnswerStore", "cached"),
    "flowcage.host.agents.compose.priced": ("priced",),
    "flowcage.host.agents.compose.route": ("Route", "route"),
    "flowcage.host.agents.compose.typed": ("typed",),
    "flowcage.host.agents.compose.worktree": ("Worktrees", "worktree"),
    "flowcage.host.agents.errors": (
        "AgentError",
        "AgentsUnavailable",
        "AgentSpecError",
        "OptionNotHonoured",
        "ShareTooSmall",
        "WrongAnswer",
    ),
    "flowcage.host.agents.honour": ("require_honoured",),
    "flowcage.host.agents.mock.mock": ("mock",),
    "flowcage.host.agents.mock.fixtures": ("FixturesError", "read_fixtures"),
    "flowcage.host.agents.settings": ("AgentSettings",),
    "flowcage.host.agents.spec": ("parse_agent",),
    "flowcage.host.agents.types.agent_type": ("AgentType",),
    "flowcage.host.agents.types.folders": ("AgentTypes", "TypesFolder"),
}

# Not for type checkers. With __getattr__ they would take any name, and an __all__ that is computed hides all.
if not TYPE_CHECKING:
    __all__ = sorted(name for names in _HOMES.values() for name in names)

    def __dir__() -> list[str]:
        return __all__

    def __getattr__(name: str) -> Any:
        from flowcage._lazy import load

        return load(__name__, _HOMES, name)
