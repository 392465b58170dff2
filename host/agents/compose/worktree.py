"""``isolation: 'worktree'``: an agent that works in a git worktree of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import trio

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError, OptionNotHonoured, WrongAnswer

if TYPE_CHECKING:  # only a call with the option needs them
    from flowcage.host.agents.worktrees.checkout import Checkout

Delivery: TypeAlias = Literal["branch", "patch"]
DELIVERIES: tuple[Delivery, ...] = ("branch", "patch")

# For what is left to do where a run is being ended; what is not done by then is done by the next one.
_END_SECONDS = 10.0


@dataclass(frozen=True)
class Worktrees:
    """How worktrees are made and delivered.

    Attributes:
        base: name of the commit that they are made from.
        deliver: what an agent changed is a ``branch`` of the repository, or a ``patch`` in a file.
        home: folder for them; None for one in the user's state folder.
        note: is told what a person should know, in a line.
    """

    base: str = "HEAD"
    deliver: Delivery = "branch"
    home: Path | None = None
    note: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if self.deliver not in DELIVERIES:
            raise ValueError(f"deliver must be one of {', '.join(DELIVERIES)}, not {self.deliver!r}")


def worktree(agent: Agent, settings: Worktrees | None = None) -> Agent:
    """An agent that answers calls with ``isolation: 'worktree'`` in a git worktree; others as they are.

    The worktree is one of the repository that the host, or `AgentCall.folder`, is in. When the agent has
    answered or failed, it is removed if nothing has changed in it. Otherwise it is kept, with all changes
    committed, and `AgentAnswer.worktree` says where. That of a host which was killed is settled in the same
    way when a worktree of that repository is asked for next.

    Args:
        agent: works in `AgentCall.folder`.
        settings: of the worktrees.
    """
    return _InWorktree(agent, settings or Worktrees()).answer


def without_isolation(call: AgentCall) -> AgentCall:
    """The call as the agent in its worktree has it.

    Raises:
        OptionNotHonoured: another isolation is asked for.
    """
    asked = call.options.get("isolation")
    if asked is not None and asked != "worktree":
        raise OptionNotHonoured(
            f"options.isolation may be 'worktree' or null, not {str(asked)[:80]!r}; "
            "leave the option out, or choose an agent that knows this isolation"
        )
    return replace(call, options={name: each for name, each in call.options.items() if name != "isolation"})


@dataclass(frozen=True)
class _InWorktree:
    agent: Agent
    settings: Worktrees

    async def answer(self, call: AgentCall) -> AgentAnswer:
        """Answer one call.

        Raises:
            OptionNotHonoured: no worktree can be made, or another isolation is asked for.
        """
        if call.options.get("isolation") is None:
            return await self.agent(call)
        inside = without_isolation(call)
        from flowcage.host.agents.worktrees.checkout import begin

        checkout = await begin(call, self.settings, os.getcwd())
        return await self._work(replace(inside, folder=checkout.folder), checkout)

    async def _work(self, call: AgentCall, checkout: Checkout) -> AgentAnswer:
        with checkout:
            try:
                answer = await self.agent(call)
            except AgentError as error:
                kept = await checkout.end()
                if kept is not None and not isinstance(error, WrongAnswer):  # that one is asked once more
                    error.args = (f"{error}; {kept.for_workflow}", *error.args[1:])
                raise
            except BaseException:
                with trio.move_on_after(_END_SECONDS, shield=True):
                    await checkout.end()
                raise
            kept = await checkout.end(answer.session_id)
            return answer if kept is None else replace(answer, worktree=kept.facts)
