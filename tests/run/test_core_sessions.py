"""Handles that answers are given out with, and the sessions that calls go on with by them."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.run.core.agents.terms import MAX_SESSION_NAME, MAX_SESSIONS, Sessions
from flowcage.host.run.core.commands import Ask, Tell
from flowcage.host.run.core.inputs import Answered, Due, Facts, Opened, Reused, Turn
from flowcage.protocol.messages import Rejected

from .core_inputs import Row, acts, agent, agents, below, commands, play, refuse, retry, says, wrong

FACTS: Facts = {"session_id": "s-1", "handle": "agent:aa"}


def refusal(inputs: Any) -> str:
    """The message that the last call is refused with."""
    tell = commands(inputs)[-1]
    assert isinstance(tell, Tell)
    resolution = tell.resolves[-1].resolution
    assert isinstance(resolution, Rejected)
    return resolution.message


def given(number: int | str, facts: Facts = FACTS) -> Answered:
    return Answered(str(number), "yes", facts=facts)


def test_an_answer_has_its_handle_where_the_call_asks_for_it() -> None:
    told = acts([agents(1, handle=True), given(1), Turn("")])
    assert "tell 1={'value': 'yes', 'handle': 'agent:aa'}" in told
    for options in ({"handle": False}, {"handle": None}, {}):
        assert "tell 1=yes" in acts([agents(1, **options), given(1), Turn("")])


def test_a_call_goes_on_with_the_session_of_a_handle() -> None:
    asked = commands([agents(1, handle=True), given(1), Turn(""), says(agent(2, **{"continue": "agent:aa"}))])
    assert [each.session for each in asked if isinstance(each, Ask)] == [None, "s-1"]


def test_it_keeps_the_session_through_tries_and_attempts() -> None:
    rest = says(agent(2, retry=retry(2), **{"continue": "agent:aa"}))
    asked = commands([agents(1, handle=True), given(1), Turn(""), rest, wrong(2), refuse(2), Due("2")])
    assert [each.session for each in asked if isinstance(each, Ask)] == [None, "s-1", "s-1", "s-1"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"continue": "agent:bb"}, "knows no answer with the handle 'agent:bb'"),
        ({"continue": "s-1"}, "knows no answer with the handle 's-1'"),  # the session's own name
        ({"continue": 1}, "must be a handle, which is text"),
        ({"continue": {"value": "yes", "handle": "agent:aa"}}, "must be a handle, which is text"),
        ({"handle": "yes"}, "options.handle must be true or false"),
        ({"handle": 1}, "options.handle must be true or false"),
        ({"continue": "agent:none:7"}, "agent call 7 cannot be continued"),
    ],
)
def test_another_handle_is_refused_by_name_before_anybody_is_asked(options: Any, why: str) -> None:
    core, found = play([agents(1, handle=True), given(1), Turn(""), says(agent(2, **options))])
    assert not [each for each in found[-1] if isinstance(each, Ask)]
    assert core.tree.admitted == 1
    assert core.tree.totals.refused == 1
    assert why in refusal([agents(1, handle=True), given(1), Turn(""), says(agent(2, **options)), Turn("")])


def test_the_session_of_an_answer_that_was_given_out_without_its_handle_is_not_known() -> None:
    rest = [Turn(""), says(agent(2, **{"continue": "agent:aa"})), Turn("")]
    assert "knows no answer" in refusal([agents(1), given(1), *rest])


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"session_id": "s-1"},  # of an earlier version
        {"handle": "agent:aa"},
        {"session_id": None, "handle": "agent:aa"},
        {"session_id": "", "handle": "agent:aa"},
        {"session_id": "s" * (MAX_SESSION_NAME + 1), "handle": "agent:aa"},
        {"session_id": "s-1", "handle": 7},
    ],
)
def test_the_handle_of_an_answer_without_a_session_says_so_when_it_is_used(facts: Facts) -> None:
    inputs: Row = [agents(1, handle=True), given(1, facts), Turn("")]
    handle = "agent:none:1"
    assert f"'handle': '{handle}'" in acts(inputs)[-1]
    refused = refusal([*inputs, says(agent(2, **{"continue": handle})), Turn("")])
    assert "agent call 1 cannot be continued, because its answer came without a session" in refused


def test_a_child_workflow_goes_on_with_a_handle_of_its_parent_and_the_other_way_round() -> None:
    inputs: Row = [
        agents(1, handle=True), given(1), Turn(""), says(below(2)), Opened("2", "kid.js", "2"),
        says(agent(1, handle=True, **{"continue": "agent:aa"}), path="2"),
        given("2/1", {"session_id": "s-2", "handle": "agent:bb"}), Turn("2"),
        Answered("2", "done"), Turn(""), says(agent(3, **{"continue": "agent:bb"})),
    ]  # fmt: skip
    asked = [each for each in commands(inputs) if isinstance(each, Ask) and each.kind.name == "agent"]
    assert [each.session for each in asked] == [None, "s-1", "s-2"]


def test_a_reused_answer_has_the_handle_that_it_had() -> None:
    said = says(agent(1, handle=True))._replace(known={"1": "7"})
    inputs: Row = [said, Reused("1", "old", "before", "7", facts=FACTS), Turn("")]
    assert "tell 1={'value': 'old', 'handle': 'agent:aa'}" in acts(inputs)
    asked = commands([*inputs, says(agent(2, **{"continue": "agent:aa"}))])
    assert [each.session for each in asked if isinstance(each, Ask)] == ["s-1"]


def test_the_result_of_a_reused_child_workflow_may_hold_handles() -> None:
    facts: Facts = {"sessions": {"agent:bb": "s-2", "agent:cc": 5}}
    reused = Reused("1", {"handle": "agent:bb"}, "before", "1", agents=2, facts=facts)
    inputs: Row = [says(below(1)), reused, Turn("")]
    asked = commands([*inputs, says(agent(2, **{"continue": "agent:bb"}))])
    assert [each.session for each in asked if isinstance(each, Ask) and each.kind.name == "agent"] == ["s-2"]
    assert "knows no answer" in refusal([*inputs, says(agent(2, **{"continue": "agent:cc"})), Turn("")])


def test_of_very_many_sessions_the_oldest_is_forgotten() -> None:
    sessions = Sessions()
    for number in range(MAX_SESSIONS + 1):
        sessions.take_over({"sessions": {f"agent:{number}": f"s-{number}"}})
    assert sessions.of({"continue": "agent:1"}) == "s-1"
    with pytest.raises(ValueError, match="knows no answer"):
        sessions.of({"continue": "agent:0"})
