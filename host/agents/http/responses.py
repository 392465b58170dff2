"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.http.api import Api
from flowcage.host.agents.http.forms.means import Way
from flowcage.host.agents.http.forms.subset import OPENAI
from flowcage.host.agents.http.network.failure import failure_told
from flowcage.host.agents.http.network.setup import Setup
from flowcage.host.agents.http.question import Question, plain
from flowcage.host.agents.http.reading import Reading
from flowcage.host.agents.http.told import at, count_at, each_at, name_at, text_at
from flowcage.protocol.messages import Json

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Of a schema; the API requires one.
FORM_NAME = "answer"


def api(chosen: Setup, ways: Sequence[Way], *, stores: bool) -> Api:
    """The API.

    Args:
        chosen: how it is reached.
        ways: to ask for a form.
        stores: whether OpenAI keeps answers, without which none can be continued.
    """
    return Api(
        "/responses",
        partial(bearer, chosen),
        partial(_body, stores),
        _Response,
        ways,
        OPENAI,
        EFFORTS,
        has_sessions=stores,
        idempotency_header="idempotency-key",
    )


def bearer(chosen: Setup) -> dict[str, str]:
    """The header that has the key."""
    return {} if chosen.key is None else {"authorization": f"Bearer {chosen.key.reveal()}"}


def _body(stores: bool, question: Question) -> dict[str, Json]:
    call, means = question.call, question.means
    body: dict[str, Any] = {
        "model": question.model,
        "input": question.turns(),
        "stream": True,
        "store": stores,
    }
    if question.limit is not None:
        body["max_output_tokens"] = question.limit
    if call.instructions is not None:
        body["instructions"] = plain(call.instructions)
    if call.session is not None:
        body["previous_response_id"] = call.session
    if call.options.get("effort") is not None:
        body["reasoning"] = {"effort": call.options["effort"]}
    if means.way is Way.FORMAT:
        form = {"type": "json_schema", "name": FORM_NAME, "schema": means.schema, "strict": True}
        body["text"] = {"format": form}
    return body


class _Response(Reading):
    """Takes the events of a streamed response, or a response in one piece."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def feed(self, message: Json) -> None:
        if text_at(message, "object") == "response":
            self._end(message)
            return
        match text_at(message, "type"):
            case "response.created":
                self._begin(at(message, "response"))
            case "response.output_text.delta":
                self.add(text_at(message, "delta"))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self.count(text_at(message, "delta"))
            case "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled":
                self._end(at(message, "response"))
            case "error":
                raise failure_told({"error": at(message, "error") or message})

    def _begin(self, response: Any) -> None:
        self.model = name_at(response, "model") or self.model
        self.id = name_at(response, "id") or self.id

    def _end(self, response: Any) -> None:
        self._begin(response)
        self.usage = _usage(at(response, "usage")) or self.usage
        parts = [
            part
            for item in each_at(response, "output")
            if text_at(item, "type") == "message" and text_at(item, "phase") != "commentary"
            for part in each_at(item, "content")
        ]
        self.replace("".join(text_at(part, "text") or "" for part in parts))
        self.refusal = next((said for part in parts if (said := text_at(part, "refusal")) is not None), None)
        self._require_success(response)
        self.is_whole = True

    def _require_success(self, response: Any) -> None:
        status = text_at(response, "status")
        if status in ("failed", "cancelled") or at(response, "error") is not None:
            raise failure_told(response)
        reason = text_at(response, "incomplete_details", "reason")
        if reason == "content_filter":
            self.refusal = "its content filter stopped the answer"
        elif reason == "max_output_tokens":
            self.shortfall = self._question.cut_off()
        elif status == "incomplete":
            self.shortfall = f"cut its answer off: {reason or 'no reason is given'}"


def _usage(usage: Any) -> AgentUsage | None:
    if not isinstance(usage, dict):
        return None
    details = ("input_tokens_details", "cached_tokens"), ("input_tokens_details", "cache_write_tokens")
    return usage_of(usage, ("input_tokens",), ("output_tokens",), *details)


def usage_of(told: Any, whole: Any, written: Any, cached: Any, stored: Any) -> AgentUsage:
    """Usage by the paths of its counts; the input is counted with what is of the cache."""
    read, kept = count_at(told, *cached), count_at(told, *stored)
    return AgentUsage(max(0, count_at(told, *whole) - read - kept), count_at(told, *written), read, kept)
