"""What each agent at work may spend at most, so that all of them together cannot pass a ceiling.

What a call will cost is not known when it begins, and no figure of earlier ones bounds it. So a call that
begins beside others gets a share of what the ceiling leaves, which it must not pass, and all shares together
are no more than that. A call that gets all of it is *open*: it may cost what it does, and nothing begins
beside it. So a run spends less than its ceiling and one call, whatever calls cost:

- Each answer lets one more call work beside the others, up to as many as there were to be asked at once. The
  first is open, so are those whose share would be too small: of less than twice the dearest answer by now,
  or of less than the agent needs.
- An agent that cannot keep to its share says so before it spends anything, and what share it needs. It is
  asked again when there is as much, or nobody else at work.

All of it follows from inputs, so a run that is gone on with decides as it did before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from flowcage.host.run.core.agents.spending import DIGITS, Ceilings, Left
from flowcage.host.run.core.inputs import Facts, Spent

# A share is of use from so many times the dearest answer on.
_MARGIN = 2
# Parts of an equal share that are worth to begin a call with.
_LEAST_PART = 4


class Amount(NamedTuple):
    """Tokens and US dollars."""

    tokens: float = 0
    usd: float = 0.0


NO_NEED = Amount()


class Share(NamedTuple):
    """What one call may spend; None where there is no ceiling."""

    tokens: int | None
    usd: float | None
    is_open: bool = False


@dataclass(slots=True)
class Shares:
    """Of the calls at work, by the ids of their requests.

    Attributes:
        wanted: calls that were to be at work at once; where there was one at a time, it may spend all.
    """

    ceilings: Ceilings
    taken: dict[str, Share] = field(default_factory=dict)
    wanted: int = 1

    def admits(self, spent: Amount, need: Amount, most: int) -> bool:
        """Whether one more call may begin; not, where it has to wait for those at work.

        Args:
            spent: by now.
            need: the least share that is of use to it.
            most: calls that may be at work at once.
        """
        return self._share(spent, need, most) is not None

    def begin(self, identifier: str, spent: Amount, need: Amount, most: int) -> None:
        """Give a call that is admitted its share."""
        share = self._share(spent, need, most)
        if share is not None:
            self.taken[identifier] = share

    def again(self, identifier: str, spent: Amount, need: Amount, most: int) -> bool:
        """Give a call that is at work another share, for a further question; False where there is none."""
        self.taken.pop(identifier, None)
        self.begin(identifier, spent, need, most)
        return identifier in self.taken

    def end(self, identifier: str) -> None:
        """A call is not at work any more."""
        self.taken.pop(identifier, None)

    def spend(self, identifier: str, spent: Spent) -> None:
        """Take off a share what its call has been charged for."""
        if (share := self.taken.get(identifier)) is not None and not share.is_open:
            tokens = None if share.tokens is None else max(0, share.tokens - spent.tokens)
            usd = None if share.usd is None else max(0.0, round(share.usd - (spent.cost_usd or 0.0), DIGITS))
            self.taken[identifier] = Share(tokens, usd)

    def tell(self, identifier: str, spent: Spent) -> None:
        """A call has spent so much by now, which may be more than its share."""
        if (share := self.taken.get(identifier)) is not None and not share.is_open:
            tokens = None if share.tokens is None else max(share.tokens, spent.tokens)
            usd = None if share.usd is None else max(share.usd, spent.cost_usd or 0.0)
            self.taken[identifier] = Share(tokens, usd)

    def left(self, identifier: str, spent: Amount) -> Left:
        """What a call may spend."""
        share = self.taken.get(identifier)
        if share is None or share.is_open:
            return self._whole(spent)
        return Left(share.tokens, share.usd, is_share=True)

    def larger(self, identifier: str, told: Amount) -> Amount:
        """What a call needs whose share was too small: as its agent told, or else twice that share."""
        share = self.taken.get(identifier)
        if share is None:
            return told
        tokens, usd = share.tokens or 0, share.usd or 0.0
        is_larger = (share.tokens is not None and told.tokens > tokens) or (
            share.usd is not None and told.usd > usd
        )
        return told if is_larger else Amount(2 * tokens, 2 * usd)

    def is_open(self, identifier: str) -> bool:
        """Whether a call may spend more than is left, as nothing is at work beside it."""
        share = self.taken.get(identifier)
        return share is None or share.is_open

    def _whole(self, spent: Amount) -> Left:
        return self.ceilings.left(int(spent.tokens), spent.usd, 0)

    def _share(self, spent: Amount, need: Amount, most: int) -> Share | None:
        ceilings, whole = self.ceilings, self._whole(spent)
        width = max(1, min(ceilings.width, self.wanted, most))
        if self.taken and len(self.taken) >= width:
            return None
        tokens = usd = None
        if whole.tokens is not None:
            taken = sum(each.tokens or 0 for each in self.taken.values())
            least = max(need.tokens, _MARGIN * ceilings.dearest_tokens)
            tokens = int(_part(whole.tokens, taken, whole.tokens // width, least, 1))
        if whole.cost_usd is not None:
            held = sum(each.usd or 0.0 for each in self.taken.values())
            least = max(need.usd, _MARGIN * ceilings.dearest_usd)
            usd = round(_part(whole.cost_usd, held, whole.cost_usd / width, least, 0.0), DIGITS)
        is_enough = tokens != 0 and usd != 0
        if self.taken:
            return Share(tokens, usd) if is_enough else None
        takes_all = tokens is not None and tokens == whole.tokens
        takes_all = takes_all or (usd is not None and usd == whole.cost_usd)
        if is_enough and not takes_all:
            return Share(tokens, usd)
        return Share(whole.tokens, whole.cost_usd, is_open=True)


def _part(left: float, taken: float, equal: float, least: float, smallest: float) -> float:
    """A part of what a ceiling leaves; 0 where what nobody has taken is too little."""
    free = round(left - taken, DIGITS)
    if free <= 0 or free < max(least, round(equal / _LEAST_PART, DIGITS)):
        return 0
    return min(free, max(equal, least, smallest))


def needed(facts: Facts) -> Amount:
    """What an agent needs that cannot keep to its share; without end where it does not say."""
    told = facts.get("needs")
    found = told if isinstance(told, dict) else {}
    return Amount(_amount(found.get("tokens")), _amount(found.get("usd")))


def _amount(told: object) -> float:
    is_amount = isinstance(told, int | float) and not isinstance(told, bool) and told >= 0
    return float(told) if is_amount else math.inf  # type: ignore[arg-type]
