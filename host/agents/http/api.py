"""What differs between providers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from flowcage.host.agents.http.forms.means import Way
from flowcage.host.agents.http.forms.subset import Subset
from flowcage.host.agents.http.question import Question
from flowcage.host.agents.http.reading import Reading
from flowcage.protocol.messages import Json


@dataclass(frozen=True)
class Api:
    """How a provider is asked, and how its answers are read.

    Attributes:
        path: behind the base URL.
        headers: makes those of each request, with the key.
        body: the request that puts a question.
        reading: makes what takes the answer to a question.
        ways: to ask for a form, in their order.
        subset: of JSON Schema, for `Way.FORMAT`.
        efforts: values of ``options.effort``; empty where there is no such thing.
        is_events: whether answers are server-sent events, and not lines of JSON.
        has_sessions: whether an answer can be continued.
        idempotency_header: that keeps a request that was sent twice from being answered twice; None for none.
        costs_nothing: whether answers are free.
        advice: what to do where nobody answers at the address.
    """

    path: str
    headers: Callable[[], dict[str, str]]
    body: Callable[[Question], dict[str, Json]]
    reading: Callable[[Question], Reading]
    ways: Sequence[Way]
    subset: Subset | None
    efforts: Collection[str]
    is_events: bool = True
    has_sessions: bool = False
    idempotency_header: str | None = None
    costs_nothing: bool = False
    advice: str = ""
