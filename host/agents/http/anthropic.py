"""The agent ``anthropic``: Anthropic's Messages API, or another server that speaks it."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.honour import Examiner
from flowcage.host.agents.http.agent import HttpAgent
from flowcage.host.agents.http.api import Api
from flowcage.host.agents.http.forms.means import Way
from flowcage.host.agents.http.forms.models import MODELS
from flowcage.host.agents.http.forms.subset import ANTHROPIC
from flowcage.host.agents.http.network.failure import failure_told
from flowcage.host.agents.http.network.secret import Secret
from flowcage.host.agents.http.network.setup import Own, Setup, base_url_of, key_of, setup, without_key
from flowcage.host.agents.http.question import Question, plain
from flowcage.host.agents.http.reading import Reading
from flowcage.host.agents.http.told import at, count_at, each_at, name_at, text_at
from flowcage.host.agents.settings import AgentSettings
from flowcage.protocol.messages import Json

NAME = "anthropic"
URL = "https://api.anthropic.com"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
URL_VARIABLE = "ANTHROPIC_BASE_URL"
# What gateways take in place of a key.
TOKEN_VARIABLE = "ANTHROPIC_AUTH_TOKEN"
VERSION = "2023-06-01"
# The API requires a limit. Thinking counts, and an answer that is cut is paid for and of no use.
MAX_TOKENS = 32_000
MODEL = "claude-sonnet-5-5"
EFFORTS = ("low", "medium", "high", "xhigh", "max")
TOOL = "answer"
_WAYS = {
    "format": (Way.FORMAT, Way.TOOL, Way.PROMPT),
    "tool": (Way.TOOL, Way.PROMPT),
    "prompt": (Way.PROMPT,),
}
_SHORTFALLS = {
    "model_context_window_exceeded": "cut its answer off: the context of the model is full",
    "pause_turn": "paused its answer, which cannot be continued here",
}


def make(model: str | None, settings: AgentSettings) -> HttpAgent:
    """The agent, for a model of the API, or ``opus``, ``sonnet``, ``haiku``.

    Raises:
        AgentSpecError: there is no key, or a setting is wrong.
    """
    own = Own(NAME, settings, ("cache",))
    url = base_url_of(own, URL_VARIABLE, URL)
    token = None if own.text("api_key_env") else os.environ.get(TOKEN_VARIABLE)
    key = Secret(token, TOKEN_VARIABLE) if token else key_of(own, KEY_VARIABLE, is_needed=url == URL)
    ways = _WAYS[own.choice("structured", _WAYS) or "format"]
    chosen = setup(own, url, key, MAX_TOKENS)
    api = Api(
        "/v1/messages",
        partial(_headers, chosen, "bearer" if token else "key"),
        partial(_body, own.flag("cache", False)),
        _Message,
        ways,
        ANTHROPIC,
        EFFORTS,
        idempotency_header="idempotency-key",
    )
    return HttpAgent(chosen, api, model or MODEL, MODELS)


def examiner(model: str | None, settings: AgentSettings) -> Examiner:
    """What the agent makes of calls; no key is looked for. Raises AgentSpecError as `make`."""
    return make(model, without_key(settings)).examined


def found() -> str | None:
    """What of the environment this agent would use; None where there is no key."""
    return next((name for name in (KEY_VARIABLE, TOKEN_VARIABLE) if os.environ.get(name)), None)


def _headers(chosen: Setup, kind: str) -> dict[str, str]:
    headers = {"anthropic-version": VERSION}
    if chosen.key is not None and kind == "bearer":
        headers["authorization"] = f"Bearer {chosen.key.reveal()}"
    elif chosen.key is not None:
        headers["x-api-key"] = chosen.key.reveal()
    return headers


def _body(with_cache: bool, question: Question) -> dict[str, Json]:
    call, means = question.call, question.means
    body: dict[str, Any] = {
        "model": question.model,
        "max_tokens": question.limit,
        "stream": True,
        "messages": question.turns(),
    }
    config: dict[str, Any] = {}
    if call.instructions is not None:
        body["system"] = plain(call.instructions)
    if with_cache:
        body["cache_control"] = {"type": "ephemeral"}
    if call.options.get("effort") is not None:
        config["effort"] = call.options["effort"]
    if means.way is Way.FORMAT:
        config["format"] = {"type": "json_schema", "schema": means.schema}
    if means.way is Way.TOOL:
        words = "Give the answer to the user's prompt. It is the only way to answer."
        body["tools"] = [{"name": TOOL, "description": words, "input_schema": means.schema}]
        body["tool_choice"] = {"type": "tool", "name": TOOL}
    return body | ({"output_config": config} if config else {})


class _Message(Reading):
    """Takes the events of a streamed message, or a message in one piece."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self._uses_tool = False

    def feed(self, message: Json) -> None:
        match text_at(message, "type"):
            case "message":
                self._begin(message)
                for block in each_at(message, "content"):
                    self._take_block(block)
                self._end(message)
                self.is_whole = True
            case "message_start":
                self._begin(at(message, "message"))
            case "content_block_start":
                self._take_block(at(message, "content_block"))
            case "content_block_delta":
                delta = at(message, "delta")
                self.add(text_at(delta, "partial_json") if self._uses_tool else text_at(delta, "text"))
                self.count(text_at(delta, "thinking"))
            case "message_delta":
                self._end(at(message, "delta"))
                self._count(at(message, "usage"))
            case "message_stop":
                self.is_whole = True
            case "error":
                raise failure_told(message)

    def _begin(self, message: Any) -> None:
        self.model, self.id = name_at(message, "model"), name_at(message, "id")
        self._count(at(message, "usage"))

    def _take_block(self, block: Any) -> None:
        if text_at(block, "type") != "tool_use":
            self.add(None if self._uses_tool else text_at(block, "text"))
            return
        if not self._uses_tool:  # what was said before is no part of the answer
            self._uses_tool = True
            self.clear()
        if given := at(block, "input"):
            self.add_json(given)

    def _end(self, delta: Any) -> None:
        reason = text_at(delta, "stop_reason")
        if reason == "refusal":
            self.refusal = text_at(delta, "stop_details", "explanation") or ""
        elif reason == "max_tokens":
            self.shortfall = self._question.cut_off()
        elif reason in _SHORTFALLS:
            self.shortfall = _SHORTFALLS[reason]

    def _count(self, usage: Any) -> None:
        """Take counts, each of which is of the whole answer so far; those that are not told stay."""
        if not isinstance(usage, dict):
            return
        known = self.usage or AgentUsage()
        self.usage = AgentUsage(
            count_at(usage, "input_tokens") or known.input,
            count_at(usage, "output_tokens") or known.output,
            count_at(usage, "cache_read_input_tokens") or known.cache_read,
            count_at(usage, "cache_creation_input_tokens") or known.cache_write,
        )
