"""Agents that are made from others: which one is asked, and by which call."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from flowcage.agents import Agent, AgentAnswer, AgentCall, AgentUsage, Route, aliased, cached, pinned, route


class Asked:
    """An agent that notes its calls."""

    def __init__(self, name: str = "a") -> None:
        self.calls: list[AgentCall] = []
        self.name = name

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.calls.append(call)
        return AgentAnswer(f"{self.name}{len(self.calls)}", usage=AgentUsage(1, 2), cost_usd=0.5, model="m")


def ask(agent: Agent, prompt: str = "x", /, **members: Any) -> Any:
    return trio.run(agent, AgentCall("1", prompt, members.pop("options", {}), **members)).value


@pytest.mark.parametrize(
    ("named", "default", "model"),
    [
        ("opus", None, "gpt-5.6"),
        ("gpt-5.6", None, "gpt-5.6"),
        ("haiku", None, "opus"),  # what an alias gives is not looked up again
        ("other", "opus", "other"),
        (None, "opus", "gpt-5.6"),
        (None, "mini", "mini"),
        (None, None, None),
        (5, "mini", 5),
    ],
)
def test_aliases(named: Any, default: str | None, model: Any) -> None:
    inner = Asked()
    agent = aliased(inner, {"opus": "gpt-5.6", "haiku": "opus"}, default)
    ask(agent, options={"model": named, "label": "l"})
    assert inner.calls[0].options == {"model": model, "label": "l"}


def test_a_call_without_a_model_gets_none() -> None:
    inner = Asked()
    ask(aliased(inner, {"opus": "x"}))
    assert inner.calls[0].options == {}


def test_a_pinned_model_is_asked_whatever_the_call_names() -> None:
    inner = Asked()
    for options in ({}, {"model": "opus", "label": "l"}):
        ask(pinned(inner, "small"), options=options)
    assert [call.options for call in inner.calls] == [{"model": "small"}, {"model": "small", "label": "l"}]


CHEAP, STRICT, LOCAL, OTHER = Asked("cheap"), Asked("strict"), Asked("local"), Asked("other")


@pytest.mark.parametrize(
    ("options", "phase", "name"),
    [
        ({"label": "verify:1"}, None, "cheap"),
        ({"label": "verify"}, None, "other"),
        ({"label": "Verify:1"}, None, "other"),
        ({"label": "verify:1"}, "Review", "cheap"),
        ({}, "Review", "strict"),
        ({"agentType": "x", "label": "b"}, "Review", "strict"),
        ({"model": "llama3:8b"}, None, "local"),
        ({"model": 5}, None, "other"),
        ({}, None, "other"),
    ],
)
def test_the_first_route_that_fits_is_taken(options: Any, phase: Any, name: str) -> None:
    routes = [Route(CHEAP, label="verify:*"), Route(STRICT, phase="Review"), Route(LOCAL, model="llama*")]
    assert ask(route(routes, OTHER), options=options, phase=phase).startswith(name)


def test_a_mapping_has_labels_and_a_route_may_need_several_things() -> None:
    both = Route(STRICT, label="a*", agent_type="reviewer")
    agent = route({"verify:*": CHEAP}, route([both], OTHER))
    assert ask(agent, options={"label": "verify:x"}).startswith("cheap")
    assert ask(agent, options={"label": "ab", "agentType": "reviewer"}).startswith("strict")
    assert ask(agent, options={"label": "ab"}).startswith("other")


def test_a_provider_that_led_to_an_agent_is_no_option_of_its_call() -> None:
    inner, other = Asked(), Asked()
    agent = route([Route(inner, provider="openai")], other)
    ask(agent, options={"provider": "openai", "model": "m"})
    ask(agent, options={"provider": "google"})
    assert inner.calls[0].options == {"model": "m"}
    assert other.calls[0].options == {"provider": "google"}


def test_what_is_cached_is_not_asked_again_and_costs_nothing() -> None:
    inner, store = Asked(), dict[str, Any]()
    agent = cached(inner, store)
    assert [ask(agent), ask(agent)] == ["a1", "a1"]
    again = trio.run(cached(Asked("b"), store), AgentCall("9", "x", {"label": "other", "phase": "p"}))
    assert again == AgentAnswer("a1", model="m", cost_usd=0.0)


@pytest.mark.parametrize(
    "members",
    [
        {"options": {"model": "other"}},
        {"instructions": "be brief"},
        {"tools": ()},
        {"session": "s"},
        {"folder": "/f"},
        {"options": {"handle": True}},
        {"options": {"isolation": "worktree"}},
    ],
)
def test_another_call_is_asked(members: Any) -> None:
    agent = cached(Asked(), {})
    assert ask(agent) == "a1"
    assert ask(agent, **members) == "a2"


def test_calls_with_effects_are_asked_each_time() -> None:
    agent = cached(Asked(), {})
    assert [ask(agent, session="s"), ask(agent, session="s")] == ["a1", "a2"]


def test_an_answer_that_was_refused_is_replaced() -> None:
    agent = cached(Asked(), {})
    assert [ask(agent), ask(agent, problem="wrong", refused="a1"), ask(agent)] == ["a1", "a2", "a2"]


def test_agents_with_other_names_have_other_answers_and_nonsense_in_a_store_is_none() -> None:
    store = dict[str, Any]()
    assert ask(cached(Asked("a"), store, name="a")) == "a1"
    assert ask(cached(Asked("b"), store, name="b")) == "b1"
    for nonsense in (5, None, {}, {"model": "m"}):
        store.update(dict.fromkeys(store, nonsense))
        assert ask(cached(Asked("c"), store, name="a")) == "c1"
