"""What the agents of providers send, and what they make of the answers."""

from __future__ import annotations

import pytest

from flowcage.agents import AgentUsage

from .http_agents import PROVIDERS, RESPONSES, SCHEMA, Provider, ask, call

pytestmark = pytest.mark.usefixtures("keys")
each = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
USAGE = {
    "anthropic": AgentUsage(120, 7, 30, 10),
    "responses": AgentUsage(60, 5, 40),
    "chat": AgentUsage(60, 5, 40),
    "ollama": AgentUsage(50, 9),
}


@each
def test_text_comes_with_usage_and_model(provider: Provider) -> None:
    with provider.server() as server:
        answer = ask(provider.agent(server), call())
    assert (answer.value, answer.model) == ("The answer is 42.", "m")
    assert answer.usage == USAGE[provider.name]
    assert answer.session_id == ("resp_1" if provider is RESPONSES else None)
    assert "What is it?" in str(server.requests[0].body)


@each
def test_a_schema_is_held_to_by_the_provider(provider: Provider) -> None:
    with provider.server() as server:
        answer = ask(provider.agent(server), call(schema=SCHEMA))
    assert isinstance(answer.value, dict)
    assert answer.value["a"] == 0
    assert answer.usage == USAGE[provider.name]
