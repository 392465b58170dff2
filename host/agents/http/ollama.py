"""The agent ``ollama``: models on this machine, or another one of yours."""

from __future__ import annotations

import os
import shutil
from functools import partial
from typing import Any

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.errors import AgentSpecError
from flowcage.host.agents.honour import Examiner
from flowcage.host.agents.http.agent import HttpAgent
from flowcage.host.agents.http.api import Api
from flowcage.host.agents.http.forms.means import Way
from flowcage.host.agents.http.network.failure import failure_told
from flowcage.host.agents.http.network.setup import Own, base_url_of, key_of, setup, without_key
from flowcage.host.agents.http.question import Question
from flowcage.host.agents.http.reading import Reading
from flowcage.host.agents.http.responses import bearer
from flowcage.host.agents.http.told import at, count_at, name_at, text_at
from flowcage.host.agents.settings import AgentSettings
from flowcage.protocol.messages import Json

NAME = "ollama"
URL_VARIABLE = "OLLAMA_HOST"
KEY_VARIABLE = "OLLAMA_API_KEY"
PORT = 11434
EFFORTS = ("low", "medium", "high")
_WAYS = {"format": (Way.FORMAT, Way.PROMPT), "prompt": (Way.PROMPT,)}
# Addresses that a server listens on are none that a client can connect to.
_ANY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}


def make(model: str | None, settings: AgentSettings) -> HttpAgent:
    """The agent, for a model that Ollama has pulled.

    Raises:
        AgentSpecError: a setting is wrong.
    """
    own = Own(NAME, settings)
    url = url_of(base_url_of(own, URL_VARIABLE, ""))
    chosen = setup(own, url, key_of(own, KEY_VARIABLE, is_needed=False))
    api = Api(
        "/api/chat",
        partial(bearer, chosen),
        _body,
        _Chat,
        _WAYS[own.choice("structured", _WAYS) or "format"],
        None,
        EFFORTS,
        is_events=False,
        costs_nothing=chosen.key is None,
        advice=f". Is Ollama running at {url}? `ollama serve` starts it, and {URL_VARIABLE} says where it is",
    )
    return HttpAgent(chosen, api, model)


def examiner(model: str | None, settings: AgentSettings) -> Examiner:
    """What the agent makes of calls; no key is looked for. Raises AgentSpecError as `make`."""
    return make(model, without_key(settings)).examined


def found() -> str | None:
    """How Ollama was found: by its variable, or its program; None where neither is there."""
    return URL_VARIABLE if os.environ.get(URL_VARIABLE) else shutil.which("ollama")


def url_of(host: str) -> str:
    """The base URL that a value of ``OLLAMA_HOST`` means: a URL, a host and a port, or one of them."""
    scheme, mark, rest = (host.strip() or "127.0.0.1").rpartition("://")
    rest = rest.rstrip("/")
    address, _, path = rest.partition("/")
    name, colon, port = address.rpartition(":")
    if not colon or (not port.isdecimal() and "]" in address):
        name, port = address, ""
    if not port and (not mark or (scheme == "http" and not path)):
        port = str(PORT)
    if "@" in name:
        raise AgentSpecError("OLLAMA_HOST must have no user and password")
    return (
        f"{scheme or 'http'}://{_ANY.get(name, name)}{':' + port if port else ''}{'/' + path if path else ''}"
    )


def _body(question: Question) -> dict[str, Json]:
    call, means = question.call, question.means
    body: dict[str, Any] = {
        "model": question.model,
        "messages": question.system() + question.turns(says_schema=True),
        "stream": True,
    }
    if question.limit is not None:
        body["options"] = {"num_predict": question.limit}
    if call.options.get("effort") is not None:
        body["think"] = call.options["effort"]
    if means.way is Way.FORMAT:
        body["format"] = means.schema
    return body


class _Chat(Reading):
    """Takes the lines of an answer."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def feed(self, message: Json) -> None:
        if (wrong := at(message, "error")) is not None:
            raise failure_told({"error": {"message": wrong, "type": "api_error"}})
        self.model = name_at(message, "model") or self.model
        self.add(text_at(message, "message", "content"))
        self.count(text_at(message, "message", "thinking"))
        if at(message, "done") is not True:
            return
        self.usage = AgentUsage(count_at(message, "prompt_eval_count"), count_at(message, "eval_count"))
        if text_at(message, "done_reason") == "length":
            self.shortfall = self._question.cut_off()
        self.is_whole = True
