"""OpenAI's Chat Completions, which most other servers speak."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from flowcage.host.agents.http.api import Api
from flowcage.host.agents.http.forms.means import Way
from flowcage.host.agents.http.forms.subset import OPENAI
from flowcage.host.agents.http.network.failure import failure_told
from flowcage.host.agents.http.network.setup import Setup
from flowcage.host.agents.http.question import Question
from flowcage.host.agents.http.reading import Reading
from flowcage.host.agents.http.responses import EFFORTS, FORM_NAME, bearer, usage_of
from flowcage.host.agents.http.told import at, each_at, name_at, text_at
from flowcage.protocol.messages import Json


def api(chosen: Setup, ways: Sequence[Way], *, is_openai: bool) -> Api:
    """The API.

    Args:
        chosen: how it is reached.
        ways: to ask for a form.
        is_openai: whether OpenAI itself answers, which has another name for the limit of tokens.
    """
    limit = "max_completion_tokens" if is_openai else "max_tokens"
    return Api(
        "/chat/completions",
        partial(bearer, chosen),
        partial(_body, limit),
        _Completion,
        ways,
        OPENAI,
        EFFORTS,
        idempotency_header="idempotency-key",
    )


def _body(limit: str, question: Question) -> dict[str, Json]:
    call, means = question.call, question.means
    body: dict[str, Any] = {
        "model": question.model,
        "messages": question.system() + question.turns(),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if question.limit is not None:
        body[limit] = question.limit
    if call.options.get("effort") is not None:
        body["reasoning_effort"] = call.options["effort"]
    if means.way is Way.FORMAT:
        form = {"name": FORM_NAME, "schema": means.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body


class _Completion(Reading):
    """Takes the chunks of a streamed completion, or a completion in one piece.

    Usage comes in a chunk behind the last words, so that the answer is whole only when the stream ends.
    """

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self._refusals: list[str] = []
        self._has_ended = False

    def close(self) -> None:
        self.is_whole = self._has_ended

    def feed(self, message: Json) -> None:
        if at(message, "error") is not None:
            raise failure_told(message)
        self.model = name_at(message, "model") or self.model
        self.id = name_at(message, "id") or self.id
        self._count(at(message, "usage"))
        for choice in each_at(message, "choices")[:1]:
            said = at(choice, "delta") or at(choice, "message")
            self.add(text_at(said, "content"))
            self.count(text_at(said, "reasoning_content") or text_at(said, "reasoning"))
            self._refusals.append(text_at(said, "refusal") or "")
            self._end(text_at(choice, "finish_reason"))

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            details = "prompt_tokens_details"
            cached, kept = (details, "cached_tokens"), (details, "cache_write_tokens")
            self.usage = usage_of(usage, ("prompt_tokens",), ("completion_tokens",), cached, kept)

    def _end(self, reason: str | None) -> None:
        if reason is None:
            return
        refused = "".join(self._refusals)
        if refused or reason == "content_filter":
            self.refusal = refused or "its content filter stopped the answer"
        elif reason == "length":
            self.shortfall = self._question.cut_off()
        self._has_ended = True
