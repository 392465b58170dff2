"""Text is cut after a key was looked for in it: half of one is not found."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.agents import AgentError
from flowcage.host.agents.programs.json_lines import JsonLines
from flowcage.host.agents.programs.told import progress_of

from .http_agents import ANTHROPIC, KEY, PROVIDERS, Provider, ask, call
from .servers.said import Said

VARIABLE = "as-secret-as-this"
LENGTHS = (*range(900, 1150, 5), 100_000)


def failure(agent: Any) -> str:
    with pytest.raises(AgentError) as caught:
        ask(agent, call())
    message = str(caught.value)
    assert len(message) < 1_300
    return message


@pytest.fixture(autouse=True)
def variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", VARIABLE)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_in_an_error_of_a_server(provider: Provider) -> None:
    with provider.server() as server:
        agent = provider.agent(server)
        for length in LENGTHS:
            server.then(provider.error(400, "a_code", "x" * length + KEY))
            assert KEY[:8] not in failure(agent)


@pytest.mark.usefixtures("keys")
def test_in_a_refusal_of_a_model() -> None:
    with ANTHROPIC.server() as server:
        agent = ANTHROPIC.agent(server)
        for length in LENGTHS:
            server.then(ANTHROPIC.says(Said("x" * length + KEY, stop="refusal")))
            assert KEY[:8] not in failure(agent)


@pytest.mark.parametrize("length", LENGTHS)
def test_in_progress_of_a_program(length: int) -> None:
    text = progress_of({"progress": "x" * length + VARIABLE}).text
    assert text is not None
    assert VARIABLE[:3] not in text


def test_in_what_a_program_writes_beside_its_messages() -> None:
    for size in range(4000, 4200, 5):
        lines = JsonLines(lambda _message: None)
        lines.feed(f"{VARIABLE}{'x' * size}\n".encode())
        lines.finish()
        assert VARIABLE[-3:] not in lines.said
        assert "x" in lines.said
