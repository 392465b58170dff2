"""One attempt at an answer: requests until one is answered, or none can be."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import trio

from flowcage.host.agents.answer import AgentAnswer, AgentUsage, Progress
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError, AgentsUnavailable, ShareTooSmall, WrongAnswer
from flowcage.host.agents.form import json_in
from flowcage.host.agents.http.api import Api
from flowcage.host.agents.http.network.backoff import pause
from flowcage.host.agents.http.network.failure import Failure, Kind
from flowcage.host.agents.http.network.setup import Setup
from flowcage.host.agents.http.network.wire import Wire
from flowcage.host.agents.http.question import Question
from flowcage.host.agents.http.reading import Reading
from flowcage.host.agents.http.share import MOST_TOKENS
from flowcage.host.terminal.text import cut
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

_MOST_CHARACTERS = 1_100
_LIMIT_WORDS = re.compile(r"tokens|num_predict|context length", re.IGNORECASE)
# Between words of how much was written.
_TELL_EVERY_S = 1.0


class Attempt:
    """Asks until there is an answer.

    Args:
        setup: how the provider is reached.
        api: how it is asked.
        wire: sends requests.
        call: that is to be answered.
    """

    def __init__(self, setup: Setup, api: Api, wire: Wire, call: AgentCall) -> None:
        self._setup = setup
        self._api = api
        self._wire = wire
        self._call = call
        self._until = min(call.deadline, trio.current_time() + setup.timeout_s)
        self._reading: Reading | None = None
        self._requests = 0
        self._asked = 0
        self._told: tuple[AgentUsage | None, str | None] = (None, None)
        self._told_at = trio.current_time()

    async def answer(self, question: Question, way: int) -> AgentAnswer:
        """Send the request until it is answered, and read the answer.

        Args:
            question: that is asked.
            way: which way it is, counted from 1.

        Raises:
            Failure: there is no answer.
            AgentError: there is one that is of no use; a `WrongAnswer`, where another try may have one.
        """
        content = self._content(question)
        self._asked = len(content)
        failures = 0
        while True:
            self._reading = reading = self._api.reading(question)
            self._requests += 1
            try:
                await self._wire.send(content, self._headers(way), reading, partial(self._tell, reading))
                return self._answer(question, reading)
            except Failure as failure:
                failures += 1
                if reading.has_begun and failure.kind is not Kind.UNAVAILABLE:
                    failure.kind = Kind.FINAL  # it is paid for; whether that is done again, the workflow says
                if failure.kind is not Kind.PASSING or failures > self._setup.max_retries:
                    raise
                await self._pause(failure, failures)

    def error(self, failure: Failure) -> AgentError:
        """The failure as the workflow gets it, with what it cost."""
        kind = AgentsUnavailable if failure.kind is Kind.UNAVAILABLE else AgentError
        tries = f" ({self._requests} requests were sent)" if self._requests > 1 else ""
        message = f"agent {self._setup.name!r} {self._words(failure.message)}{tries}"
        return kind(message, **self._spent())

    def is_about_limit(self, failure: Failure) -> bool:
        """Whether a model may have refused the limit of its answer, which the call would not have alone."""
        is_refused = failure.kind is Kind.FINAL and (self._reading is None or not self._reading.has_begun)
        return is_refused and _LIMIT_WORDS.search(failure.message) is not None

    def unheld(self, failure: Failure) -> ShareTooSmall:
        """Why a call has to be asked without a limit of its answer."""
        return ShareTooSmall(f"agent {self._setup.name!r} {self._words(failure.message)}", **self._spent())

    def size(self, question: Question) -> int:
        """Bytes of the request that puts a question."""
        return len(self._content(question))

    def _short(self, question: Question, words: str) -> ShareTooSmall:
        """An answer that is as long as its call could afford: with twice the share it may be whole."""
        is_known = question.held != MOST_TOKENS or question.max_tokens is not None
        needs: dict[str, Any] = {"needs_usd": 0.0, "needs_tokens": 0} if is_known else {}
        return ShareTooSmall(f"agent {self._setup.name!r} {words}", **needs, **self._spent())

    async def _pause(self, failure: Failure, failures: int) -> None:
        seconds = pause(failures, failure.after_s, random.random)
        left = self._until - trio.current_time()
        if seconds >= left:
            raise Failure(
                f"{self._words(failure.message)}; the next request would be in {seconds:.0f} s, "
                f"and the call has {max(0.0, left):.0f} s left"
            )
        self._call.tell(Progress(f"waits {seconds:.1f} s: it {self._words(failure.message)}"))
        await trio.sleep(seconds)

    def _content(self, question: Question) -> bytes:
        body = _merged(self._setup.body, self._api.body(question))
        return strictjson.dumps(body).encode("utf-8", "replace")

    def _headers(self, way: int) -> dict[str, str]:
        headers = self._api.headers()
        if self._api.idempotency_header is not None:
            # Another way is another request, which a provider would refuse under the same key.
            key = self._call.idempotency_key + (f".{way}" if way > 1 else "")
            headers[self._api.idempotency_header] = key
        return headers

    def _answer(self, question: Question, reading: Reading) -> AgentAnswer:
        if reading.refusal is not None:
            said = reading.refusal or reading.text
            raise self.error(Failure(f"refused to answer{': ' + said if said else ''}"))
        if reading.shortfall is not None and question.is_short and reading.shortfall == question.cut_off():
            raise self._short(question, reading.shortfall)
        if reading.shortfall is not None:
            raise self.error(Failure(reading.shortfall))
        text = self._setup.hide(reading.text)
        session = self._shown(reading.id) if self._api.has_sessions else None
        if self._call.schema is None:
            return AgentAnswer(text, session_id=session, **self._spent())
        try:
            value = json_in(text, question.means.schema or self._call.schema)
        except ValueError as error:
            raise WrongAnswer(str(error), text, **self._spent()) from None
        return AgentAnswer(question.means.restore(value), session_id=session, **self._spent())

    def _spent(self) -> dict[str, Any]:
        reading = self._reading
        if reading is None:
            return {}
        usage = reading.usage_of(self._asked)
        cost_usd = 0.0 if self._api.costs_nothing else None
        return {"usage": usage, "cost_usd": cost_usd, "model": self._shown(reading.model)}

    def _words(self, text: str) -> str:
        """A text without the key, and cut after that."""
        return cut(self._setup.hide(text), _MOST_CHARACTERS)

    def _shown(self, name: str | None) -> str | None:
        return None if name is None else self._setup.hide(name)

    def _tell(self, reading: Reading) -> None:
        """Tell what is new: at once what the provider tells of spending, else once a second."""
        now = trio.current_time()
        facts = (reading.usage, reading.model)
        if facts == self._told and now - self._told_at < _TELL_EVERY_S:
            return
        text = f"has written {reading.size:,} characters" if reading.size else None
        self._call.tell(Progress(text, **self._spent()))
        self._told, self._told_at = facts, now


def _merged(user: Mapping[str, Json], own: dict[str, Json]) -> dict[str, Json]:
    """The agent's body with what the user adds, also in a table that both have."""
    merged = {**user, **own}
    for name, value in user.items():
        ours = own.get(name)
        if isinstance(value, Mapping) and isinstance(ours, Mapping):
            merged[name] = {**value, **ours}
    return merged
