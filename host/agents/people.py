"""A question for a person, and which answers it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from flowcage.host.agents.schema.checks import SchemaChecks
from flowcage.host.agents.sendable import require_sendable
from flowcage.host.outcome.errors import RequestRejected
from flowcage.protocol import strictjson
from flowcage.protocol.messages import AskRequest, Json, Missing


@dataclass(frozen=True)
class Option:
    """One of the answers that a question may have."""

    label: str
    value: Json


@dataclass(frozen=True)
class Question:
    """What a workflow asks a person by ``ask(question, options)``.

    Attributes:
        run_id: of the run that the host started, also where a child workflow of it asks.
        id: of the request in the run's tree: "7", or "3/1" in the child workflow of request 3.
        question: the workflow's text, which is not to be trusted.
        schema: a JSON Schema that the answer has to satisfy; None where there is none.
        options: of these the value of one is the answer; empty where the answer is free.
        label: what the question is called.
        problem: why the last answer was not taken, where the question is put once more.
    """

    run_id: str
    id: str
    question: str
    schema: Json = None
    options: tuple[Option, ...] = ()
    label: str | None = None
    problem: str | None = None

    @property
    def takes_text(self) -> bool:
        """Whether an answer may be text as it was typed, without being JSON."""
        return self.schema is None or (isinstance(self.schema, dict) and self.schema.get("type") == "string")

    def read(self, typed: str) -> Json:
        """The answer that was typed: the label of an option, JSON, or text where that may be an answer.

        Raises:
            ValueError: it is none of these.
        """
        for option in self.options:
            if typed == option.label:
                return option.value
        try:
            value: Json = strictjson.loads(typed.encode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError) as error:
            if self.takes_text and not self.options:
                return typed
            raise ValueError(self._none_of_them() if self.options else f"it is not JSON: {error}") from None
        is_text_by_schema = self.takes_text and self.schema is not None and not self.options
        return typed if is_text_by_schema and not isinstance(value, str) else value

    async def why_not(self, value: Json, schemas: SchemaChecks, max_bytes: int) -> str | None:
        """Why a value is no answer to the question; None where it is one.

        Raises:
            SchemaRefused: the question's schema cannot be applied.
            AgentError: it could not be applied to this value.
        """
        try:
            require_sendable(value, max_bytes)
        except RequestRejected as refusal:
            return str(refusal)
        if self.options and not any(is_same(value, option.value) for option in self.options):
            return self._none_of_them()
        return None if self.schema is None else await (await schemas.admit(self.schema)).why_not(value)

    def _none_of_them(self) -> str:
        labels = ", ".join(strictjson.dumps(option.label)[:40] for option in self.options[:10])
        return f"it is none of the options: {labels}{', …' if len(self.options) > 10 else ''}"


# Answers ``ask(question, options)``: returns JSON, or raises `RequestRejected`.
AskHandler: TypeAlias = Callable[[Question], Awaitable[Json]]


def question_of(run_id: str, identifier: str, request: AskRequest) -> Question:
    """The question of a request.

    Args:
        run_id: of the root.
        identifier: of the request in the tree.
        request: as the workflow made it.
    """
    given = [] if isinstance(request.choices, Missing) else request.choices
    options = tuple(Option(str(each["label"]), each["value"]) for each in given)
    schema = None if isinstance(request.schema, Missing) else request.schema
    label = None if isinstance(request.label, Missing) else request.label
    return Question(run_id, identifier, str(request.question), schema, options, label)


def is_same(one: Json, other: Json) -> bool:
    """Whether two values are one to JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)
