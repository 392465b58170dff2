"""Costs of answers whose agent knows tokens and a model, and no price."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import trio

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer, AgentUsage, Progress
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.compose.prices import are_loaded, load, price_of
from flowcage.host.agents.errors import AgentError
from flowcage.host.agents.trace import current_trace


def priced(agent: Agent, *, provider: str | None = None) -> Agent:
    """Make an agent that tells what its answers, and its failures, have cost.

    A cost that the agent tells itself is kept. For a model without a known price, and where no model or no
    usage is told, the cost stays unknown.

    Args:
        agent: is asked.
        provider: of its models, as genai-prices names it (``anthropic``); None to find it by the model.
    """

    async def answer(call: AgentCall) -> AgentAnswer:
        bill = _Bill(call, provider)
        if provider is not None and (trace := current_trace()) is not None:
            trace.describe({"gen_ai.provider.name": provider})
        try:
            told = await agent(replace(call, watcher=bill.tell))
        except AgentError as error:
            error.cost_usd = await bill.of(error)
            error.provider = error.provider or provider
            raise
        except trio.Cancelled:
            bill.tell_of_cost()
            raise
        finally:
            bill.is_over = True
        cost = await bill.of(told)
        whose = told.provider or provider
        return (
            told if cost == told.cost_usd and whose is None else replace(told, cost_usd=cost, provider=whose)
        )

    return answer


class _Bill:
    """Of one call: what was told of it by now.

    Attributes:
        is_over: whether nothing is to be told of it any more.
    """

    def __init__(self, call: AgentCall, provider: str | None) -> None:
        self._call = call
        self._provider = provider
        self._usage: AgentUsage | None = None
        self._model: str | None = None
        self._cost: float | None = None
        self.is_over = False
        self._is_loading = False

    def tell(self, progress: Progress) -> None:
        """Take word of an agent at work, and pass it on."""
        self._take(progress)
        if self._lacks_price and self._has_prices():
            progress = replace(progress, cost_usd=self._price())
        self._call.tell(progress)

    async def of(self, told: AgentAnswer | AgentError) -> float | None:
        """What an answer, or a failure, has cost."""
        self._take(told)
        if self._lacks_price:
            await load()
        return self._price()

    def tell_of_cost(self) -> None:
        """Tell what an agent has cost by now: the run charges what was told last where it is cut off."""
        if self._lacks_price:
            self._call.tell(Progress(cost_usd=self._price()))

    def _has_prices(self) -> bool:
        """Whether there is a table by now; else it is loaded, and the cost is told when it is there."""
        if are_loaded():
            return True
        if not self._is_loading:
            self._is_loading = True
            trio.lowlevel.spawn_system_task(self._load)
        return False

    async def _load(self) -> None:
        with suppress(Exception):  # the answer meets it, too
            await load()
            if not self.is_over:
                self.tell_of_cost()

    @property
    def _lacks_price(self) -> bool:
        return self._cost is None and self._usage is not None and self._model is not None

    def _price(self) -> float | None:
        if self._cost is None and self._usage is not None and self._model is not None:
            return price_of(self._usage, self._model, self._provider)
        return self._cost

    def _take(self, told: Progress | AgentAnswer | AgentError) -> None:
        self._usage = self._usage if told.usage is None else told.usage
        self._model = self._model if told.model is None else told.model
        self._cost = self._cost if told.cost_usd is None else told.cost_usd
