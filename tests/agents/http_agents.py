"""The agents of providers, each before a loopback server that speaks its API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import trio

from flowcage.host.agents import AgentAnswer, AgentCall
from flowcage.host.agents.http import anthropic as anthropic_agent
from flowcage.host.agents.http import ollama as ollama_agent
from flowcage.host.agents.http import openai as openai_agent
from flowcage.host.agents.settings import AgentSettings

from .servers import anthropic, ollama, openai
from .servers.loopback import Answer, Server
from .servers.said import Said

# What no text may have, whatever goes wrong.
KEY = "sk-loopback-0123456789"
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
    "required": ["a"],
}


class Provider(NamedTuple):
    """An agent and the server for it.

    Attributes:
        server: makes the server.
        says: makes a step that answers with this.
        make: makes the agent.
        variable: of the key.
        path: of the base URL.
        own: the table that chooses this API.
        error: makes an answer that is an error, from status, code and message.
    """

    name: str
    server: Callable[[], Server]
    says: Callable[[Said | str], Any]
    usual: Callable[[Any], Answer]
    make: Callable[..., Any]
    variable: str
    path: str
    own: dict[str, Any]
    error: Callable[..., Answer]

    def agent(self, server: Server, *, model: str | None = "m", timeout_s: float = 60.0, **own: Any) -> Any:
        """The agent that asks this server."""
        idle_timeout_s = own.pop("idle_timeout_s", None)
        table = {"base_url": server.url + self.path, **self.own, **own}
        return self.make(model, AgentSettings(timeout_s, idle_timeout_s, table))


ANTHROPIC = Provider(
    "anthropic",
    anthropic.server,
    anthropic.says,
    anthropic.usual,
    anthropic_agent.make,
    "ANTHROPIC_API_KEY",
    "",
    {},
    anthropic.error,
)
RESPONSES = Provider(
    "responses",
    openai.server,
    openai.says,
    openai.usual,
    openai_agent.make,
    "OPENAI_API_KEY",
    "/v1",
    {"api": "responses"},
    openai.error,
)
CHAT = RESPONSES._replace(name="chat", own={"api": "chat"})
OLLAMA = Provider(
    "ollama",
    ollama.server,
    ollama.says,
    ollama.usual,
    ollama_agent.make,
    "OLLAMA_API_KEY",
    "",
    {},
    lambda status, _code, message, headers=None: ollama.error(status, message, headers),
)
PROVIDERS = (ANTHROPIC, RESPONSES, CHAT, OLLAMA)


def call(prompt: str = "What is it?", **options: Any) -> AgentCall:
    """A call with these options."""
    return AgentCall("1", prompt, options, run_id="run")


def ask(agent: Any, asked: AgentCall) -> AgentAnswer:
    """The answer of an agent, in a trio run of its own."""
    answer: AgentAnswer = trio.run(agent, asked)
    return answer
