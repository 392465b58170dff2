"""An agent that asks a provider over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import trio

from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import OptionNotHonoured
from flowcage.host.agents.honour import Examined, require_honoured
from flowcage.host.agents.http.api import Api
from flowcage.host.agents.http.attempt import Attempt
from flowcage.host.agents.http.forms.means import Means, Refusals, Way, means_for
from flowcage.host.agents.http.network.failure import Failure, Kind
from flowcage.host.agents.http.network.setup import Setup
from flowcage.host.agents.http.network.wire import Wire
from flowcage.host.agents.http.question import Question
from flowcage.host.agents.http.share import held


class HttpAgent:
    """Answers calls by one provider.

    Args:
        setup: how it is reached.
        api: how it is asked.
        model: for calls that name none; None where there is no such model.
        models: names of models for short ones that workflows use.
    """

    def __init__(
        self, setup: Setup, api: Api, model: str | None, models: dict[str, str] | None = None
    ) -> None:
        self._setup = setup
        self._api = api
        self._model = model
        self._models = models or {}
        self._wire = Wire(setup, api.path, is_events=api.is_events, advice=api.advice)
        self._refusals = Refusals()

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        """Ask for one answer, in the first way that the provider takes.

        Raises:
            OptionNotHonoured: the call has an option that cannot be followed.
            WrongAnswer: the answer is not JSON, where the call has a schema.
            AgentsUnavailable: the account has no credit or quota, or its key is refused.
            AgentError: there is no answer for another reason.
        """
        model = self._model_for(call)
        attempt = Attempt(self._setup, self._api, self._wire, call)
        with trio.move_on_after(self._setup.timeout_s):
            ways = list(self._means(call, model))
            for number, means in enumerate(ways, 1):
                question = self._question(call, model, means)
                if call.is_held:
                    free = self._api.costs_nothing
                    question = await held(question, attempt.size(question), costs_nothing=free)
                try:
                    return await attempt.answer(question, number)
                except Failure as failure:
                    if question.is_short and attempt.is_about_limit(failure):
                        raise attempt.unheld(failure) from None
                    if failure.kind is not Kind.FORM or means is ways[-1]:
                        raise attempt.error(failure) from None
                    self._refusals.add(model, means)
        raise attempt.error(Failure(f"took longer than {self._setup.timeout_s:g} s"))

    def examined(self, call: AgentCall) -> Examined:
        """What would be asked. Raises `OptionNotHonoured`."""
        return Examined(self._model_for(call), self._api.costs_nothing)

    def _question(self, call: AgentCall, model: str, means: Means) -> Question:
        return Question(call, model, means, self._setup.name, self._setup.max_tokens)

    def _means(self, call: AgentCall, model: str) -> Iterator[Means]:
        for means in means_for(call.schema, self._api.subset, self._api.ways):
            if means.way is Way.PROMPT or not self._refusals.has(model, means):
                yield means

    def _model_for(self, call: AgentCall) -> str:
        self._require_honoured(call)
        model = call.model or self._model
        if model is None:
            name = self._setup.name
            raise OptionNotHonoured(
                f"agent {name!r} was given no model; name one by --agent {name}:MODEL or options.model"
            )
        return self._models.get(model, model)

    def _require_honoured(self, call: AgentCall) -> None:
        name, efforts = self._setup.name, self._api.efforts
        honoured = {"model", "schema", "agentType"}
        honoured |= {"effort"} if efforts else set()
        honoured |= {"provider"} if call.provider == name else set()
        honoured |= {"continue"} if self._api.has_sessions else set()
        require_honoured(call, name, honoured)
        if call.session is not None and not self._api.has_sessions:
            raise OptionNotHonoured(f"agent {name!r} has no sessions, so that no answer can be continued")
        effort = call.options.get("effort")
        if effort is not None and effort not in efforts:
            known = ", ".join(efforts)
            raise OptionNotHonoured(
                f"agent {name!r} cannot follow options.effort {effort!r:.80}; it has {known}"
            )
