"""Answers that a plan makes up, and what it reckons for them."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import trio

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError
from flowcage.host.agents.mock.fixtures import read_fixtures
from flowcage.host.agents.mock.instance import make
from flowcage.host.agents.people import Option, Question
from flowcage.host.outcome.errors import RequestRejected
from flowcage.host.plan.estimate import most_asks, usage_of
from flowcage.host.plan.stubs import Stubs

USAGE = AgentUsage(10, 20)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "array", "items": {"type": "string"}}, ["stub 1", "stub 2", "stub 3"]),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, ["stub 1"]),
        ({"type": "array", "items": {"type": "string"}, "minItems": 4}, [f"stub {n}" for n in range(1, 5)]),
        ({"type": "array", "items": {"type": "boolean"}, "uniqueItems": True}, [False]),
        ({"type": "array"}, ["stub 1", "stub 2", "stub 3"]),
        (True, "stub 1"),
        ({"type": "null"}, None),
        ({"properties": {"a": {}}}, {"a": "stub 1"}),
        ({"type": "string", "maxLength": 3}, "1"),
        ({"type": "string", "minLength": 9}, "stub 1aaa"),
        ({"type": "string", "maxLength": 0}, ""),
        ({"type": "string", "enum": ["low", "high"]}, "low"),
        ({"properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "integer"}}}},
         {"a": "stub 1", "b": [0, 0, 0]}),
    ],
)  # fmt: skip
def test_a_stub_satisfies_its_schema_and_is_like_no_other(schema: Any, value: Any) -> None:
    assert make(schema, 3, "stub") == value
    jsonschema.Draft202012Validator(schema).validate(value)


def test_without_items_and_a_name_a_value_is_the_least() -> None:
    assert make({"type": "array", "items": {"type": "string"}, "minItems": 1}) == [""]


def test_an_answer_is_charged_with_the_estimate() -> None:
    stubs = Stubs(2, ())
    answer, is_given = stubs.answer(AgentCall("7", "p", {}), USAGE, 0.5)
    assert (answer.value, answer.usage, answer.cost_usd, is_given) == ("stub answer 7", USAGE, 0.5, False)


def test_a_fixture_keeps_what_it_says_it_costs() -> None:
    told = b'[{"label": "a", "answer": 1}, {"label": "b", "answer": 2, "tokens": 3, "costUsd": 4}]'
    stubs = Stubs(2, read_fixtures(told, "f"))
    free, is_given = stubs.answer(AgentCall("1", "p", {"label": "a"}), USAGE, 0.5)
    assert (free.value, free.usage, free.cost_usd, is_given) == (1, USAGE, 0.5, True)
    paid, _ = stubs.answer(AgentCall("1", "p", {"label": "b"}), USAGE, 0.5)
    assert (paid.tokens, paid.cost_usd) == (3, 4)


def test_a_fixture_that_is_an_error_is_one() -> None:
    stubs = Stubs(2, read_fixtures(b'[{"error": "no"}]', "f"))
    with pytest.raises(AgentError, match="no"):
        stubs.answer(AgentCall("1", "p", {}), USAGE, 0.5)


def test_a_schema_without_a_stub_says_what_to_do() -> None:
    with pytest.raises(AgentError, match=r"'pattern'.*--fixtures"):
        Stubs(2, ()).answer(AgentCall("1", "p", {"schema": {"type": "string", "pattern": "^a$"}}), USAGE, 0.0)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (Question("r", "1", "q"), "stub"),
        (Question("r", "1", "q", {"type": "boolean"}), False),
        (Question("r", "1", "q", options=(Option("a", {"x": 1}), Option("b", 2))), {"x": 1}),
    ],
)
def test_a_person_takes_the_first_option(question: Question, answer: Any) -> None:
    assert trio.run(Stubs(2, ()).person, question) == answer


def test_a_question_without_a_stub_is_refused() -> None:
    with pytest.raises(RequestRejected, match="ask"):
        trio.run(Stubs(2, ()).person, Question("r", "1", "q", {"allOf": [{}]}))


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        ({}, 1),
        ({"schema": {}}, 2),
        ({"schema": None}, 1),
        ({"retry": {"maxAttempts": 3}}, 3),
        ({"retry": {"maxAttempts": 3}, "schema": True}, 6),
        ({"retry": {"maxAttempts": 99}}, 1),
        ({"retry": {"maxAttempts": "3"}}, 1),
        ({"retry": 3}, 1),
    ],
)
def test_how_often_an_agent_may_be_asked_for_one_call(options: Any, asks: int) -> None:
    assert most_asks(options) == asks


def test_prompt_schema_and_instructions_are_read() -> None:
    plain = usage_of(AgentCall("1", "p" * 400, {}), 1_000)
    assert plain == AgentUsage(100, 1_000)
    more = usage_of(AgentCall("1", "p" * 400, {"schema": {"type": "object"}}, instructions="i" * 400), 1_000)
    assert more.input > 230
