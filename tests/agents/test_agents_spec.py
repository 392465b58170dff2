"""The names of agents on the command line."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from flowcage.host.agents import AgentAnswer, AgentCall, AgentError, AgentSpecError, parse_agent
from flowcage.host.outcome.errors import RequestRejected


def test_echo_is_an_agent() -> None:
    assert trio.run(parse_agent("echo"), AgentCall("1", "hi", {})) == AgentAnswer("echo: hi", tokens=1)


def test_a_command_is_split_as_a_shell_would_but_no_shell_sees_it() -> None:
    agent = parse_agent("""command:printf '%s|%s' "a b" '$HOME;ls'""")
    assert trio.run(agent, AgentCall("1", "", {})).value == "a b|$HOME;ls"


@pytest.mark.parametrize(
    "spec", ["", "gpt", "ECHO", "echo:hi", "command", "commands:ls", "command:", "command:  ", "command:''"]
)
def test_any_other_text_is_refused_with_the_agents_there_are(spec: str) -> None:
    with pytest.raises(AgentSpecError, match=r"'echo'.*'command:CMD'"):
        parse_agent(spec)


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
