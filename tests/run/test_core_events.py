"""What is told of agent calls: each begins once and ends once."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.run.core.inputs import (
    Answered,
    Due,
    Ended,
    Failed,
    Spent,
    State,
    Turn,
)
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import AgentRequest

from .core_inputs import (
    COMPLETE,
    HANDLERS,
    Row,
    acts,
    agent,
    agents,
    answer,
    event_names,
    events,
    play,
    refuse,
    retry,
    says,
    wrong,
)

TURN = Turn("")
ONE = Rules(max_agents=1, handlers=HANDLERS)
FAILED = Failed("", "no")

EVENTS: dict[str, tuple[Row, list[str]]] = {
    "an answer": ([agents(1), answer(1), answer(1)], ["queued 1", "completed 1"]),
    "a refusal": ([agents(1), refuse(1), refuse(1)], ["queued 1", "failed 1"]),
    "a retry and an answer": (
        [agents(1, retry=retry(2)), refuse(1), Due("1"), answer(1)],
        ["queued 1", "retry 1", "completed 1"],
    ),
    "retries that come to nothing": (
        [agents(1, retry=retry(2)), refuse(1), Due("1"), refuse(1)],
        ["queued 1", "retry 1", "failed 1"],
    ),
    "two tries": ([agents(1), wrong(1), answer(1)], ["queued 1", "answer_refused 1", "completed 1"]),
    "a call that is wrong": ([agents(1, retry=5)], ["queued 1", "failed 1"]),
    "an end while one is asked, one waits, and one sleeps": (
        [agents(3, retry=retry(2)), refuse(2), Ended("")],
        ["queued 1", "queued 2", "queued 3", "retry 2", "cancelled 1", "cancelled 2", "cancelled 3"],
    ),
    "a run that is complete without them": (
        [agents(2), answer(1), TURN, COMPLETE, answer(2), Ended("")],
        ["queued 1", "queued 2", "completed 1", "cancelled 2"],
    ),
    "a host that failed": ([agents(1), FAILED, refuse(1), Ended("")], ["queued 1", "cancelled 1"]),
    "requests that were not begun": ([says(agent(1), state=State.MORE), Ended("")], []),
}


@pytest.mark.parametrize(("inputs", "expected"), EVENTS.values(), ids=EVENTS)
def test_each_call_has_one_end_in_the_events(inputs: Row, expected: list[str]) -> None:
    assert event_names(inputs, ONE._replace(max_agents=2)) == expected


def test_an_end_has_the_attempt_that_it_ended() -> None:
    inputs: Row = [agents(3, retry=retry(2)), refuse(1), refuse(2), Due("1"), Ended("")]
    ends = [members["attempt"] for name, members in events(inputs, ONE) if name == "agent_cancelled"]

    assert ends == [1, 1, 1]
    assert [m["attempt"] for n, m in events([agents(2), Ended("")], ONE) if n == "agent_cancelled"] == [1, 0]


def test_an_answer_is_told_with_what_it_cost_and_what_is_known_of_it() -> None:
    facts = {"model": "m", "session_id": "s"}
    inputs: Row = [
        agents(1, label="a", phase="p"),
        wrong(1, tokens=3),
        Answered("1", [5], Spent(7, 0.5, 2.0), facts),
    ]

    queued, refused, completed = events(inputs)
    assert queued == ("agent_queued", {"request_id": "1", "label": "a", "phase": "p"})
    assert refused[1] | {"request_id": "1", "tokens": 3, "message": "no number"} == refused[1]
    assert completed == (
        "agent_completed",
        {
            "request_id": "1",
            "attempt": 1,
            "tries": 2,
            "value": [5],
            "seconds": 2.0,
            "tokens": 7,
            "cost_usd": 0.5,
        }
        | facts,
    )


def test_an_attempt_whose_task_had_not_begun_is_none() -> None:
    inputs: Row = [agents(3, retry=retry(2)), refuse(1), Due("1"), Ended("", frozenset({"1", "3"}))]
    rules = ONE._replace(max_agents=3)
    core, _ = play(inputs, rules)

    told = {m["request_id"]: m["attempt"] for n, m in events(inputs, rules) if n == "agent_cancelled"}
    assert told == {"1": 1, "2": 1, "3": 0}
    (of_phase,) = core.tree.phases.values()
    assert (core.tree.totals.started, core.tree.totals.cancelled, of_phase.started) == (2, 3, 2)


@pytest.mark.parametrize("options", [{"label": 5}, {"label": None}, {}])
def test_a_label_that_is_no_text_is_none(options: dict[str, Any]) -> None:
    assert events([says(AgentRequest("1", "p", options))])[0][1]["label"] is None


def test_a_call_without_options_is_asked() -> None:
    assert acts([says(AgentRequest("1", "p"))]) == ["ask 1"]
