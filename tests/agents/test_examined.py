"""What agents make of a call without being asked: a model, or a refusal; neither key nor program is there."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentSpecError, OptionNotHonoured
from flowcage.host.agents.honour import Examined
from flowcage.host.agents.settings import AgentSettings
from flowcage.host.agents.spec import examiner_of, provider_of


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "OPENAI_API_KEY",
        "OLLAMA_API_KEY",
        "OLLAMA_HOST",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/none")


def examined(spec: str, **options: Any) -> Examined:
    return examiner_of(spec, AgentSettings())(AgentCall("1", "p", options))


@pytest.mark.parametrize(
    ("spec", "options", "told"),
    [
        ("anthropic", {}, Examined("claude-sonnet-5-5")),
        ("anthropic:opus", {}, Examined("claude-opus-5-5")),
        ("anthropic:opus", {"model": "haiku"}, Examined("claude-haiku-5-5")),
        ("openai", {"effort": "low"}, Examined("gpt-5.5")),
        ("ollama:llama3.3", {}, Examined("llama3.3", costs_nothing=True)),
        ("claude", {}, Examined()),
        ("claude:sonnet", {"isolation": "worktree"}, Examined("claude-sonnet-5-5")),
        ("claude", {"model": "claude-opus-4-1"}, Examined("claude-opus-4-1")),
        ("codex:gpt-5.5", {"effort": "high"}, Examined("gpt-5.5")),
        ("command:none", {"model": "m", "anything": 1, "isolation": "worktree"}, Examined("m")),
        ("mock", {"anything": 1}, Examined(costs_nothing=True)),
    ],
)
def test_the_model_that_would_be_asked(spec: str, options: dict[str, Any], told: Examined) -> None:
    assert examined(spec, **options) == told


@pytest.mark.parametrize(
    ("spec", "options", "says"),
    [
        ("anthropic", {"isolation": "worktree"}, "options.isolation"),
        ("openai", {"colour": "red"}, "options.colour"),
        ("openai", {"effort": "colossal"}, "colossal"),
        ("ollama", {}, "was given no model"),
        ("claude", {"provider": "openai"}, "options.provider"),
        ("claude", {"isolation": "container"}, "options.isolation"),
        ("codex", {"effort": "colossal"}, "colossal"),
        ("command:none", {"isolation": "container"}, "options.isolation"),
    ],
)
def test_what_an_agent_does_not_follow_is_refused_by_its_own_words(
    spec: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(OptionNotHonoured, match=says):
        examined(spec, **options)


@pytest.mark.parametrize("spec", ["anthropic", "openai", "ollama", "claude", "codex", "command:none", "mock"])
def test_settings_that_are_wrong_are_an_error_as_for_the_agent(spec: str) -> None:
    with pytest.raises(AgentSpecError):
        examiner_of(spec, AgentSettings(own={"no_such_setting": 1}))


def test_providers_are_those_of_the_table_of_prices() -> None:
    assert [provider_of(name) for name in ("claude", "codex", "command", "mock")] == [
        "anthropic",
        "openai",
        None,
        None,
    ]
