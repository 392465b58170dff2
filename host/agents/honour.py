"""What an agent makes of a call before it asks anybody: no option is accepted and ignored."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple, TypeAlias

from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import OptionNotHonoured
from flowcage.host.terminal.near_match import did_you_mean
from flowcage.protocol import strictjson

# These the run itself follows.
_OF_THE_RUN = frozenset({"label", "phase", "retry", "timeoutMs"})
# Any other value of these would be taken for none.
_TEXTS = ("model", "provider", "effort")
# Options of other programs that run workflows, and what does the same here.
_ELSEWHERE = {
    "adapter": "provider, by which flowcage.toml routes calls to agents",
    "subagent_type": "agentType",
    "reasoningEffort": "effort",
    "timeout": "timeoutMs",
    "resume": "continue",
    "cwd": "the folder that flowcage is started in",
}


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


def require_honoured(call: AgentCall, agent: str, honoured: Collection[str]) -> None:
    """Refuse a call with an option that its agent does not follow, before anything is spent.

    Args:
        call: its options are read; one that is null is none.
        agent: its name, for the message.
        honoured: the options that it follows. With ``agentType``, it follows `AgentCall.instructions` and
            `AgentCall.tools`, which are what the type of an agent comes to; with ``continue`` it has
            sessions, and so the run can follow ``handle``.

    Raises:
        OptionNotHonoured: there is another one, or one that is no text where text is expected.
    """
    followed = _OF_THE_RUN.union(honoured, ["handle"] if "continue" in honoured else [])
    for name, value in _asked(call).items():
        if value is not None and name not in followed:
            known = ", ".join(sorted(followed)) + _meant(name, followed)
            raise OptionNotHonoured(
                f"agent {agent!r} cannot follow options.{name[:80]}; it follows {known}. "
                "Leave the option out, or choose another agent"
            )
        if name in _TEXTS and value is not None and not (isinstance(value, str) and value):
            raise OptionNotHonoured(
                f"options.{name} must be text that is not empty, or null, not {strictjson.dumps(value)[:80]}"
            )


def _meant(name: str, followed: Collection[str]) -> str:
    """What the option may be called here."""
    if name in _ELSEWHERE:
        return f"; what other programs call {name} is {_ELSEWHERE[name]} here"
    return did_you_mean(name[:80], followed)


def _asked(call: AgentCall) -> dict[str, object]:
    """The options, and the one that an agent type stood in before it was looked up."""
    if call.instructions is None and call.tools is None:
        return dict(call.options)
    return {**call.options, "agentType": call.options.get("agentType") or True}
