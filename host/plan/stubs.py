"""Answers that are made up, in the place of agents and people."""

from __future__ import annotations

from dataclasses import replace

from flowcage.host.agents.answer import AgentAnswer, AgentUsage
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError
from flowcage.host.agents.mock.fixtures import Fixture, answer_for
from flowcage.host.agents.mock.instance import NoInstance, make
from flowcage.host.agents.people import Question
from flowcage.host.outcome.errors import RequestRejected
from flowcage.protocol.messages import Json

_NAME = "stub"


class Stubs:
    """Makes answers.

    Args:
        items: of each array that may have so many.
        fixtures: come first, where one fits.
    """

    def __init__(self, items: int, fixtures: tuple[Fixture, ...]) -> None:
        self._items = items
        self._fixtures = fixtures

    def answer(self, call: AgentCall, usage: AgentUsage, cost_usd: float | None) -> tuple[AgentAnswer, bool]:
        """An answer that is charged with an estimate, and whether it comes from the fixtures.

        Raises:
            AgentError: a fixture says so, or no value could be made for the schema.
        """
        given = answer_for(self._fixtures, call)
        if given is not None:
            is_charged = given.usage is not None or given.tokens > 0
            return (given if is_charged else replace(given, usage=usage, cost_usd=cost_usd)), True
        value = f"{_NAME} answer {call.id}" if call.schema is None else self._value(call.schema, "agent()")
        session = _session(call) if call.options.get("handle") else None
        return AgentAnswer(value, usage=usage, cost_usd=cost_usd, session_id=session), False

    async def person(self, question: Question) -> Json:
        """The first of a question's options, or a value for its schema."""
        if question.options:
            return question.options[0].value
        return _NAME if question.schema is None else self._value(question.schema, "ask()")

    def _value(self, schema: Json, asked: str) -> Json:
        try:
            return make(schema, self._items, _NAME)
        except NoInstance as why:
            message = f"a plan has no answer for the schema of this {asked}: {why}; give one by --fixtures"
            raise (AgentError if asked == "agent()" else RequestRejected)(message) from None


def _session(call: AgentCall) -> str:
    """A name in the form of a UUID, which all agents take for one of theirs."""
    key = call.key
    return "-".join((key[:8], key[8:12], key[12:16], key[16:20], key[20:]))
