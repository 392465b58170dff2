"""What comes of a question to an agent, as the core is given it."""

from __future__ import annotations

from flowcage.host.agents.asking import Reply
from flowcage.host.agents.errors import ShareTooSmall
from flowcage.host.run.asking.meter import Cost
from flowcage.host.run.core.inputs import Answered, Reason, Refused
from flowcage.protocol.messages import Json


def input_of(identifier: str, reply: Reply, cost: Cost) -> Answered | Refused:
    """What a reply is for the core."""
    if reply.refusal is not None:
        return refused(identifier, reply.refusal, cost)
    if reply.problem is not None:
        return refused(identifier, reply.problem, cost, Reason.WRONG_ANSWER, reply.text)
    return Answered(identifier, reply.answer.value, *cost)


def refused(
    identifier: str, message: str, cost: Cost, reason: Reason = Reason.REFUSED, text: str | None = None
) -> Refused:
    """That there is no answer, with what was spent for it."""
    return Refused(identifier, message, reason, text, *cost)


def short_of_share(identifier: str, short: ShareTooSmall, cost: Cost) -> Refused:
    """That an agent needs a larger share, and which."""
    needs: dict[str, Json] = {"usd": short.needs_usd, "tokens": short.needs_tokens}
    return Refused(identifier, str(short), Reason.SHARE, None, cost.spent, {**cost.facts, "needs": needs})
