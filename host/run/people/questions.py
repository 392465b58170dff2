"""Questions of one run: put to the host's handler, if it has one, and answered by whoever comes first.

A question waits in the core, whoever is asked. Where the run is kept, its answer may come from outside, too,
even from another machine; so an answer of the handler counts only if the store says that it was the first.
The handler of a question that was answered meanwhile is cancelled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import trio

from flowcage.host.agents.people import Question, question_of
from flowcage.host.agents.schema.checker import SchemaRefused
from flowcage.host.outcome.errors import RequestRejected
from flowcage.host.run.asking.answering import Answerer, Answering
from flowcage.host.run.core.commands import Ask
from flowcage.host.run.core.inputs import Answered, Reason, Refused
from flowcage.host.run.core.waits import told_of
from flowcage.host.run.people.faults import faults_of_handler
from flowcage.protocol.messages import MISSING, AskRequest, Json

if TYPE_CHECKING:
    from flowcage.host.run.driver import Driver
    from flowcage.host.run.node import Node

# Whether an answer is the first to its question. If not, the first one is on its way.
IsFirst: TypeAlias = Callable[[Answered | Refused], Awaitable[bool]]

# How often one question is put to a handler whose answers cannot be taken.
MOST_TRIES = 100


class Questions:
    """Of one run with its child workflows.

    Args:
        driver: of the run.
        answering: has what applies schemas.
        answerer: answers in place of the options' handler, if there is one.

    Attributes:
        is_first: decides between several answers; None where only the handler can answer.
        asked: is called with each question that waits from now on.
    """

    def __init__(self, driver: Driver, answering: Answering, answerer: Answerer | None) -> None:
        self._driver = driver
        self._answering = answering
        self._answerer = answerer
        self._handler = driver.options.ask
        self._scopes: dict[str, trio.CancelScope] = {}
        self.is_first: IsFirst | None = None
        self.asked: Callable[[str], None] = lambda _id: None

    @property
    def is_handled(self) -> bool:
        """Whether a program of the host's is at work on one."""
        return bool(self._scopes)

    def put(self, asked: Ask) -> None:
        """Put a question that has begun to wait."""
        self.asked(asked.id)
        node, request = self._driver.nodes.get(asked.path), asked.request
        assert isinstance(request, AskRequest)
        if node is not None and asked.interrupted and self.is_open(asked.id):
            self._driver.emit(node, "question_asked", told_of(asked.id, request))
        if node is not None and (self._has_handler or request.schema is not MISSING):
            node.spawn(self._put, node, asked, request)

    def answer(self, given: Answered | Refused) -> None:
        """Give a question its answer."""
        self._driver.feed(given)
        if (scope := self._scopes.pop(given.id, None)) is not None:
            scope.cancel()

    def is_open(self, identifier: str) -> bool:
        """Whether a question with this id in the tree waits."""
        call = self._driver.core.tree.call(identifier)
        return call is not None and call.stage == "person"

    async def why_not(self, given: Answered | Refused) -> str | None:
        """Why a question that waits does not take an answer; None where it does."""
        call = self._driver.core.tree.call(given.id)
        node = None if call is None else self._driver.nodes.get(call.path)
        if call is None or node is None or isinstance(given, Refused):
            return None
        assert isinstance(call.request, AskRequest)
        question = question_of(node.root.id, given.id, call.request)
        max_bytes = node.options.limits.max_message_bytes
        try:
            return await question.why_not(given.value, self._answering.schemas, max_bytes)
        except RequestRejected as refusal:
            return str(refusal)

    @property
    def _has_handler(self) -> bool:
        return self._handler is not None or self._answerer is not None

    async def _put(self, node: Node, asked: Ask, request: AskRequest) -> None:
        await self._driver.keep()
        with trio.CancelScope() as scope, faults_of_handler(partial(self._driver.fail_request, node, asked)):
            if not self.is_open(asked.id) or node.is_failing:
                return
            self._scopes[asked.id] = scope
            try:
                given = await self._given(node, asked, request)
                if given is not None and await self._counts(given):
                    self.answer(given)
            finally:
                self._scopes.pop(asked.id, None)

    async def _ask(self, asked: Ask, question: Question) -> Json:
        if self._answerer is not None:
            return (await self._answerer("ask", asked.request)).value
        assert self._handler is not None
        return await self._handler(question)

    async def _given(self, node: Node, asked: Ask, request: AskRequest) -> Answered | Refused | None:
        """What the handler says; None where there is none."""
        schemas, problem = self._answering.schemas, None
        max_bytes = node.options.limits.max_message_bytes
        question = question_of(node.root.id, asked.id, request)
        try:
            if question.schema is not None:
                await schemas.admit(question.schema)
            if not self._has_handler:
                return None
            for _ in range(MOST_TRIES):
                value = await self._ask(asked, replace(question, problem=problem))
                problem = await question.why_not(value, schemas, max_bytes)
                if problem is None:
                    return Answered(asked.id, value)
        except SchemaRefused as refused:
            return Refused(asked.id, str(refused), Reason.BAD_CALL)
        except RequestRejected as refusal:
            return Refused(asked.id, str(refusal))
        return Refused(asked.id, f"no answer to the question can be taken: {problem}", Reason.WRONG_ANSWER)

    async def _counts(self, given: Answered | Refused) -> bool:
        is_first = self.is_first is None or await self.is_first(given)
        return is_first and self.is_open(given.id)
