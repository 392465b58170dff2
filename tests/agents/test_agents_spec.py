"""The names of agents on the command line."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from flowcage.host.agents import AgentAnswer, AgentCall, AgentError, AgentSpecError, parse_agent
from flowcage.host.agents.settings import AgentSettings
from flowcage.host.agents.spec import KNOWN_AGENTS, Spec, missing_program, read_spec
from flowcage.host.outcome.errors import RequestRejected


@pytest.mark.parametrize("name", ["mock", "echo"])
def test_mock_is_an_agent_by_its_old_name_too(name: str) -> None:
    answer = trio.run(parse_agent(name), AgentCall("1", "hi", {}))
    assert answer == AgentAnswer("echo: hi", tokens=1, cost_usd=0.0)


def test_a_command_is_split_as_a_shell_would_but_no_shell_sees_it() -> None:
    agent = parse_agent("""command:printf '%s|%s' "a b" '$HOME;ls'""")
    assert trio.run(agent, AgentCall("1", "", {})).value == "a b|$HOME;ls"


@pytest.mark.parametrize(
    "spec", ["", ":", "gpt", "ECHO", "command", "commands:ls", "command:", "command:  ", "command:''"]
)
def test_any_other_text_is_refused_with_the_agents_there_are(spec: str) -> None:
    with pytest.raises(AgentSpecError, match=r"mock.*command:CMD"):
        parse_agent(spec)


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(AgentSpecError, match="did you mean 'mock'"):
        read_spec("mok")


@pytest.mark.parametrize("name", ["mock", "echo"])
def test_mock_takes_no_model(name: str) -> None:
    with pytest.raises(AgentSpecError, match=f"'{name}:hi': {name} takes no model"):
        read_spec(f"{name}:hi")


def test_each_known_agent_takes_a_model_that_may_have_colons() -> None:
    for name in set(KNOWN_AGENTS) - {"mock"}:
        assert read_spec(f"{name}:llama3:8b") == Spec(name, "llama3:8b")
        with pytest.raises(AgentSpecError, match=f"'{name}:' "):
            read_spec(f"{name}:")


@pytest.mark.parametrize(
    ("spec", "own", "missing"),
    [
        ("command:sh -c true", {}, None),
        ("command:no-such- x", {}, "no-such-"),
        ("claude:opus", {"program": "sh"}, None),
        ("claude:opus", {"program": "no-such-"}, "no-such-"),
        ("codex", {"program": "/nowhere/codex"}, "/nowhere/codex"),
        ("openai:m", {"program": "no-such-"}, None),
        ("mock", {}, None),
    ],
)
def test_a_program_that_is_missing_is_known_before_the_run(spec: str, own: Any, missing: str | None) -> None:
    assert missing_program(spec, AgentSettings(own=own)) == missing


@pytest.mark.parametrize("name", ["mock", "command:cat"])
def test_an_agent_without_settings_of_its_own_refuses_them_by_name(name: str) -> None:
    with pytest.raises(AgentSpecError, match="has no setting 'colour'"):
        parse_agent(name, settings=AgentSettings(own={"colour": "red"}))


def test_a_command_with_an_open_quote_is_refused_with_the_reason() -> None:
    with pytest.raises(AgentSpecError, match="No closing quotation"):
        parse_agent("command:echo 'a")


def test_a_command_with_a_nul_is_refused() -> None:
    with pytest.raises(AgentSpecError, match="NUL"):
        parse_agent("command:echo a\0b")


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_that_is_not_above_zero_is_refused(seconds: Any) -> None:
    with pytest.raises(ValueError, match="timeout_s must be above 0"):
        parse_agent("echo", timeout_s=seconds)


def test_what_an_agent_raises_rejects_its_request() -> None:
    assert issubclass(AgentError, RequestRejected)
    assert issubclass(AgentSpecError, ValueError)
