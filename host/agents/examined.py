"""What an agent makes of a call before it asks anybody; for plans, which ask nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from flowcage.host.agents.call import AgentCall


class Examined(NamedTuple):
    """How a call would be answered.

    Attributes:
        model: that would be asked, as the table of prices may have it; None for one that the agent does not
            tell before it answers.
        costs_nothing: whether nobody bills the answer.
    """

    model: str | None = None
    costs_nothing: bool = False


# Raises `OptionNotHonoured` where the agent would refuse the call.
Examiner: TypeAlias = Callable[[AgentCall], Examined]
