"""The calls of a run, as a fold of its history: what was asked, how it was answered, and with which turn.

The turns are the `Tell` commands of a core that is given the history, so calls that were settled together
have the same one. An answer that came and was never told has none, and is reused last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.reuse.content import Content, Known, content_of, key_of
from flowcage.host.run.core.commands import Tell
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Answered, Due, Input, Refused, Said
from flowcage.protocol.messages import MISSING, AgentRequest, Request

# How a call ended: with an answer, without one, or not at all.
Outcome: TypeAlias = Literal["answered", "failed", "open"]


@dataclass(frozen=True)
class Call:
    """One call of a run.

    Attributes:
        id: in the tree.
        key: by its content; None where its answer is never reused.
        turn: of its workflow's turns in the order of the run, the one that told the answer.
        place: among those that this turn told.
        answer: what it was answered with.
    """

    id: str
    path: str
    content: Content | None
    key: str | None
    label: str | None = None
    phase: str | None = None
    outcome: Outcome = "open"
    turn: int | None = None
    place: int = 0
    answer: Answered | None = None


def calls_of(record: RunRecord, known: Known, key: bytes | None = None) -> list[Call]:
    """The calls of a run, in the order in which they were made.

    Args:
        record: with its history.
        known: about it.
        key: that the keys are made with; that of the record unless another is given.
    """
    key = record.digest_key if key is None else key
    told = _told(record)
    last = _last_word(each.input for each in record.entries)
    return [
        _call(
            f"{said.path}/{request.id}" if said.path else request.id,
            said.path,
            request,
            known,
            key,
            told,
            last,
        )
        for said in (each.input for each in record.entries)
        if isinstance(said, Said)
        for request in said.requests
    ]


def _call(
    identifier: str,
    path: str,
    request: Request,
    known: Known,
    key: bytes,
    told: Mapping[str, tuple[int, int]],
    last: Mapping[str, Input],
) -> Call:
    content = content_of(request, identifier, known)
    options = request.options if isinstance(request, AgentRequest) else MISSING
    texts = options if isinstance(options, dict) else {}
    word, (turn, place) = last.get(identifier), told.get(identifier, (None, 0))
    is_good = isinstance(word, Answered) or (isinstance(word, Due) and not isinstance(request, AgentRequest))
    return Call(
        identifier,
        path,
        content,
        None if content is None else key_of(content, key),
        _text(texts.get("label")),
        _text(texts.get("phase")),
        "answered" if is_good else "open" if word is None and turn is None else "failed",
        turn,
        place,
        word if isinstance(word, Answered) else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _last_word(given: Iterable[Input]) -> dict[str, Input]:
    """The last that was said about each request."""
    return {each.id: each for each in given if isinstance(each, Answered | Refused | Due)}


def _told(record: RunRecord) -> dict[str, tuple[int, int]]:
    """Turn and place in it of each request that was settled."""
    core, turn, told = Core(record.rules), 0, {}
    for entry in record.entries:
        for command in core.step(entry.at, entry.input):
            if isinstance(command, Tell) and command.resolves:
                for place, resolve in enumerate(command.resolves):
                    identifier = f"{command.path}/{resolve.id}" if command.path else resolve.id
                    told[identifier] = (turn, place)
                turn += 1
    return told
