"""What a tenant's agents may cost together, over all of its runs in this host; or one run in a worker.

The rule is that of one run (`flowcage.host.run.core.agents.shares`), with the calls of all runs: those at
work have shares, and spend less than the ceiling and one call. A run that this host goes on with counts with
what it spends here. What a tenant has spent is no input of a run's core: a call that is
refused for it is one that its agent has refused.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import trio

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer, Progress
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError, ShareTooSmall
from flowcage.host.run.core.agents.shares import NO_NEED, Amount, Shares
from flowcage.host.run.core.agents.spending import Ceilings, Left
from flowcage.host.run.core.inputs import Spent

_NAMES = count(1)


class Purse:
    """Of one tenant, or one run.

    Args:
        most: US dollars.
        whose: ceiling that is, for messages.

    Attributes:
        spent: US dollars, as far as they are known.
    """

    def __init__(self, most: float, whose: str = "tenant") -> None:
        self.spent = 0.0
        self._ceilings = Ceilings(None, most, is_paced=True, whose=whose)
        self._shares = Shares(self._ceilings)
        self._waiting: deque[_Place] = deque()
        self._at_work = 0

    def guarded(self, agent: Agent) -> Agent:
        """Make an agent that is asked only within the ceiling."""

        async def answer(call: AgentCall) -> AgentAnswer:
            need = NO_NEED
            while True:
                place = _Place(need)
                await self._turn(place)
                bill = _Bill(call)
                try:
                    with self._work(place, bill):
                        told = await agent(self._limited(call, place, bill))
                        bill.take(told)
                        bill.is_answer = True
                        return told
                except ShareTooSmall as short:
                    if bill.read().cost_usd != 0 or not self._is_tighter(place, call):
                        raise
                    need = _larger(place, short)

        return answer

    def guarded_answerer(
        self, answerer: Callable[[str, Any], Awaitable[AgentAnswer]]
    ) -> Callable[[str, Any], Awaitable[AgentAnswer]]:
        """The same for what answers requests of every kind."""

        async def answer(kind: str, request: Any) -> AgentAnswer:
            if kind != "agent":
                return await answerer(kind, request)
            return await self.guarded(lambda call: answerer(kind, call))(request)

        return answer

    def _limited(self, call: AgentCall, place: _Place, bill: _Bill) -> AgentCall:
        """The call with what it may spend by the ceilings of its run and of its tenant."""
        left = place.left
        if call.cost_left is not None and left.cost_usd is not None:
            left = left._replace(cost_usd=min(left.cost_usd, call.cost_left))
        is_held = call.is_held or left.is_share
        return replace(call, cost_left=left.cost_usd, is_held=is_held, watcher=bill.tell)

    def _is_tighter(self, place: _Place, call: AgentCall) -> bool:
        """Whether it is the tenant's share, and not the run's, that was too small."""
        left = place.left.cost_usd
        if not place.left.is_share or left is None:
            return False
        return not call.is_held or call.cost_left is None or left < call.cost_left

    async def _turn(self, place: _Place) -> None:
        """Wait until a call may begin; those that came first begin first.

        Raises:
            AgentError: none may any more.
        """
        self._shares.wanted = max(self._shares.wanted, self._at_work + len(self._waiting) + 1)
        if self._waiting or not self._may_begin(place):
            self._waiting.append(place)
            try:
                await place.turn.wait()
            except trio.Cancelled:
                if place.turn.is_set():  # it was given a place at work
                    self._leave(place)
                else:
                    self._waiting.remove(place)
                self._wake()
                raise
        else:
            self._begin(place)
        if (refused := self._ceilings.refusal(0, self.spent)) is not None:
            self._leave(place)
            self._wake()
            raise AgentError(refused[1])

    @contextmanager
    def _work(self, place: _Place, bill: _Bill) -> Iterator[None]:
        try:
            yield
        except AgentError as error:
            bill.take(error)
            raise
        finally:
            self._leave(place)
            spent = bill.read()
            self.spent += spent.cost_usd or 0.0
            self._ceilings.learn(spent, bill.model, is_answer=bill.is_answer)
            self._wake()

    def _may_begin(self, place: _Place) -> bool:
        if self._ceilings.refusal(0, self.spent) is not None:  # it need not wait to be refused
            return True
        return self._shares.admits(Amount(0, self.spent), place.need, sys.maxsize)

    def _begin(self, place: _Place) -> None:
        self._at_work += 1
        spent = Amount(0, self.spent)
        self._shares.begin(place.name, spent, place.need, sys.maxsize)
        place.left = self._shares.left(place.name, spent)

    def _leave(self, place: _Place) -> None:
        self._at_work -= 1
        self._shares.end(place.name)

    def _wake(self) -> None:
        while self._waiting and self._may_begin(self._waiting[0]):
            place = self._waiting.popleft()
            self._begin(place)
            place.turn.set()


class _Place:
    """Of one call among those at work.

    Attributes:
        name: its own.
        need: the share that it takes.
        turn: set when it may begin.
        left: what it may spend then.
    """

    def __init__(self, need: Amount) -> None:
        self.name = str(next(_NAMES))
        self.need = need
        self.turn = trio.Event()
        self.left = Left(None, None)


def _larger(place: _Place, short: ShareTooSmall) -> Amount:
    needs = math.inf if short.needs_usd is None else short.needs_usd
    return Amount(0, max(needs, 2 * (place.left.cost_usd or 0.0)))


class _Bill:
    """What one question has cost by now."""

    def __init__(self, call: AgentCall) -> None:
        self._call = call
        self._has_usage = False
        self._cost: float | None = None
        self.model: str | None = None
        self.is_answer = False

    def tell(self, progress: Progress) -> None:
        """Take word of an agent at work, and pass it on."""
        self.take(progress)
        self._call.tell(progress)

    def take(self, told: Progress | AgentAnswer | AgentError) -> None:
        self._has_usage = self._has_usage or told.usage is not None or getattr(told, "tokens", 0) > 0
        self._cost = self._cost if told.cost_usd is None else told.cost_usd
        self.model = self.model if told.model is None else told.model

    def read(self) -> Spent:
        """The cost; None where something was used that has no price."""
        is_nothing = self._cost is None and not self.is_answer and not self._has_usage
        return Spent(cost_usd=0.0 if is_nothing else self._cost)
