"""What the settings of the user say about one agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowcage.host.agents.compose.worktree import Worktrees
from flowcage.protocol.messages import Json


@dataclass(frozen=True)
class AgentSettings:
    """How an agent is set up, beside its model.

    Attributes:
        timeout_s: of one attempt, in seconds.
        idle_timeout_s: of an attempt without a sign of life; None for no such limit.
        own: the table ``[agents.NAME]`` of flowcage.toml.
        worktrees: of calls with ``isolation: 'worktree'``, for agents that work in a folder.
    """

    timeout_s: float = 600.0
    idle_timeout_s: float | None = None
    own: Mapping[str, Json] = field(default_factory=dict)
    worktrees: Worktrees = field(default_factory=Worktrees)

    def __post_init__(self) -> None:
        for name in ("timeout_s", "idle_timeout_s"):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} must be above 0, not {seconds!r}")
