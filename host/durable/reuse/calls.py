"""The calls of a run, as a fold of its history: what was asked, how it was answered, and with which turn.

The turns are the `Tell` commands of a core that is given the history, so calls that were settled together
have the same one. An answer that came and was never told has none, and is reused last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from flowcage.host.durable.errors import DamagedEntry
from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.reuse.content import Content, Known, content_of, key_of
from flowcage.host.run.core.commands import Tell
from flowcage.host.run.core.fold import Core, OutOfOrder
from flowcage.host.run.core.inputs import (
    NOTHING,
    Answered,
    Charged,
    Due,
    Heard,
    Refused,
    Reused,
    Said,
    Spent,
    sum_of,
)
from flowcage.protocol.messages import (
    MISSING,
    AgentRequest,
    AskRequest,
    Request,
    SandboxExecRequest,
    SleepRequest,
    WorkflowRequest,
)

# How a call ended: with an answer, without one, or not at all; `later` where its answer is not to be reused.
Outcome: TypeAlias = Literal["answered", "failed", "open", "later"]
_KINDS: Mapping[type, str] = {
    AskRequest: "ask",
    SleepRequest: "sleep",
    WorkflowRequest: "workflow",
    SandboxExecRequest: "sandbox_exec",
}


@dataclass(frozen=True)
class Call:
    """One call of a run.

    Attributes:
        id: in the tree.
        key: by its content; None where its answer is never reused.
        turn: of its workflow's turns in the order of the run, the one that told the answer.
        place: among those that this turn told.
        answer: what it was answered with; `spent` in it is that of all attempts. None for a sleep.
        request: as it was made; prompts and args may be withheld.
        asked_at, answered_at: numbers of the entries.
        reuses: run and request whose answer this is, where the old run has reused it itself.
        origin: run and request where a call was made that is not of the old run, but below a child workflow
            whose result that one has reused.
        replaced: whether somebody gave another answer in the place of its own.
        agents: calls of agents that its answer stands for.
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
    request: Request | None = None
    asked_at: int = 0
    answered_at: int | None = None
    reuses: tuple[str, str] | None = None
    origin: tuple[str, str] | None = None
    replaced: bool = False
    agents: int = 0

    @property
    def is_workflow(self) -> bool:
        """Whether it started a child workflow."""
        return isinstance(self.request, WorkflowRequest)


def calls_of(record: RunRecord, known: Known, key: bytes | None = None) -> list[Call]:
    """The calls of a run, in the order in which they were made.

    Args:
        record: with its history.
        known: about it.
        key: that the keys are made with; that of the record unless another is given.

    Raises:
        DamagedEntry: the history is none of a run's.
    """
    key = record.digest_key if key is None else key
    told, words = _told(record), _Words(record)
    calls = []
    for entry in record.entries:
        if isinstance(said := entry.input, Said):
            for request in said.requests:
                identifier = f"{said.path}/{request.id}" if said.path else request.id
                call = new_call(request, said.path, identifier, known, key)
                calls.append(words.about(call, request, entry.seq, told.get(identifier)))
    return calls


def new_call(request: Request, path: str, identifier: str, known: Known, key: bytes) -> Call:
    """A call without an answer."""
    content = content_of(request, identifier, known)
    options = request.options if isinstance(request, AgentRequest) else MISSING
    texts = options if isinstance(options, dict) else {}
    return Call(
        identifier,
        path,
        content,
        None if content is None else key_of(content, key),
        _text(texts.get("label")),
        _text(texts.get("phase")),
        request=request,
    )


def kind_of(request: Request | None) -> str:
    """The name of a kind of request, as on the wire."""
    names = {
        AskRequest: "ask",
        SleepRequest: "sleep",
        WorkflowRequest: "workflow",
        SandboxExecRequest: "sandbox_exec",
    }
    return names.get(type(request), "agent")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


class _Words:
    """What was said about each request."""

    def __init__(self, record: RunRecord) -> None:
        self._last: dict[str, tuple[int, Answered | Refused | Due | Reused]] = {}
        self._spent: defaultdict[str, Spent] = defaultdict(lambda: NOTHING)
        self._reused: set[str] = set()
        for entry in record.entries:
            given = entry.input
            if isinstance(given, Answered | Refused | Heard | Charged | Reused):
                self._spent[given.id] = sum_of(self._spent[given.id], given.spent)
            if isinstance(given, Answered | Refused | Due | Reused) and given.id not in self._reused:
                self._last[given.id] = entry.seq, given
            if isinstance(given, Reused):  # what a handler answers afterwards does not count
                self._reused.add(given.id)

    def about(self, call: Call, request: Request, asked_at: int, told: tuple[int, int] | None) -> Call:
        """A call with how it ended."""
        seq, word = self._last.get(call.id, (None, None))
        turn, place = told or (None, 0)
        is_agent = isinstance(request, AgentRequest)
        is_good = isinstance(word, Answered | Reused) or (isinstance(word, Due) and not is_agent)
        answer = None
        if isinstance(word, Answered | Reused) and word.value is not MISSING:
            answer = Answered(call.id, word.value, self._spent[call.id], word.facts)
        return Call(
            *(call.id, call.path, call.content, call.key, call.label, call.phase),
            "answered" if is_good else "open" if word is None and turn is None else "failed",
            *(turn, place, answer, request, asked_at, seq),
            (word.run, word.request) if isinstance(word, Reused) else None,
            replaced=isinstance(word, Reused) and word.replaced,
            agents=word.agents if isinstance(word, Reused) else int(is_agent),
        )


def _told(record: RunRecord) -> dict[str, tuple[int, int]]:
    """Turn and place in it of each request that was settled."""
    core, turn, told = Core(record.rules), 0, {}
    for entry in record.entries:
        try:
            commands = core.step(entry.at, entry.input)
        except OutOfOrder as error:
            run_id = record.summary.run_id
            raise DamagedEntry(run_id, entry.seq, f"cannot follow what is before it: {error}") from None
        for command in commands:
            if isinstance(command, Tell) and command.resolves:
                for place, resolve in enumerate(command.resolves):
                    identifier = f"{command.path}/{resolve.id}" if command.path else resolve.id
                    told[identifier] = (turn, place)
                turn += 1
    return told
