"""What a tenant's agents may cost together, over all of its runs in this host.

The rule is that of one run (`flowcage.host.run.core.agents.spending`), with the calls of all runs: one goes
beyond the ceiling at most, as long as none costs more than the dearest before it. A run that this host goes
on with counts with what it spends here. What a tenant has spent is no input of a run's core: a call that is
refused for it is one that its agent has refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import trio

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer, Progress
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError
from flowcage.host.run.core.agents.spending import Ceilings
from flowcage.host.run.core.inputs import Spent


class Purse:
    """Of one tenant.

    Args:
        most: US dollars.

    Attributes:
        spent: US dollars, as far as they are known.
    """

    def __init__(self, most: float) -> None:
        self.spent = 0.0
        self._ceilings = Ceilings(None, most, is_paced=True, whose="tenant")
        self._at_work = 0
        self._waiting: deque[trio.Event] = deque()

    def guarded(self, agent: Agent) -> Agent:
        """Make an agent that is asked only within the ceiling."""

        async def answer(call: AgentCall) -> AgentAnswer:
            await self._turn()
            bill = _Bill(call)
            with self._work(bill):
                left = self._ceilings.left(0, self.spent, self._at_work - 1).cost_usd
                if call.cost_left is not None and left is not None:
                    left = min(left, call.cost_left)
                told = await agent(replace(call, cost_left=left, watcher=bill.tell))
                bill.take(told)
                bill.is_answer = True
                return told

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

    async def _turn(self) -> None:
        """Wait until a call may begin; those that came first begin first.

        Raises:
            AgentError: none may any more.
        """
        if self._waiting or not self._may_begin():
            turn = trio.Event()
            self._waiting.append(turn)
            try:
                await turn.wait()
            except trio.Cancelled:
                if turn.is_set():  # it was given a place at work
                    self._at_work -= 1
                else:
                    self._waiting.remove(turn)
                self._wake()
                raise
        else:
            self._at_work += 1
        if (refused := self._ceilings.refusal(0, self.spent)) is not None:
            self._at_work -= 1
            self._wake()
            raise AgentError(refused[1])

    @contextmanager
    def _work(self, bill: _Bill) -> Iterator[None]:
        try:
            yield
        except AgentError as error:
            bill.take(error)
            raise
        finally:
            self._at_work -= 1
            spent = bill.read()
            self.spent += spent.cost_usd or 0.0
            self._ceilings.learn(spent, bill.model, is_answer=bill.is_answer)
            self._wake()

    def _may_begin(self) -> bool:
        return self._ceilings.may_begin(0, self.spent, self._at_work)

    def _wake(self) -> None:
        while self._waiting and self._may_begin():
            self._at_work += 1
            self._waiting.popleft().set()


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
