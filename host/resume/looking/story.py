"""The calls of a kept run, as a fold of its history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from flowcage.host.durable.records import Entry, RunRecord, Summary
from flowcage.host.events.event import Event
from flowcage.host.outcome.verdict import RESUMABLE
from flowcage.host.resume.looking.calls import CallAttempt, RefusedAnswer, RunCall
from flowcage.host.resume.looking.telling import Telling
from flowcage.host.run.core.agents.spending import ModelCosts, counts_of
from flowcage.host.run.core.books import Totals
from flowcage.host.run.core.commands import Ask, Command, Emit, Tell
from flowcage.host.run.core.inputs import Answered, Charged, Ended, Heard, Opened, Reason, Refused, Said, Told
from flowcage.host.run.past import interrupted
from flowcage.protocol.messages import (
    MISSING,
    Ok,
    Rejected,
    Request,
    Resolution,
    UnknownRequest,
)

# Inputs that tell what came of a question, and what it has cost.
_COSTS = (Answered, Refused, Heard, Charged)


class Story(NamedTuple):
    """What became of a run.

    Attributes:
        calls: by id, in the order in which they were made.
        workflows: name of the source of each workflow of the tree, by path.
        totals: counts of the whole tree.
        models: what the answers of each model cost.
    """

    calls: Mapping[str, RunCall]
    workflows: Mapping[str, str]
    totals: Totals
    models: Mapping[str, ModelCosts]


def story_of(record: RunRecord) -> Story:
    """The calls of a run.

    Raises:
        DamagedEntry: its log is none of a run's.
    """
    calls = CallsFold(Telling(record.summary, record.rules))
    for entry in record.entries:
        calls.take(entry)
    calls.end(record.summary)
    calls.charge_interrupted()
    books = calls.telling.core.tree.books
    return Story(calls.calls, calls.workflows, books.totals, books.models)


class CallsFold:
    """The calls of a run, entry by entry.

    Attributes:
        telling: that has had the same entries.
        calls, workflows: as in `Story`.
        changed: ids of the calls that something has happened to; whoever has seen them clears it.
    """

    def __init__(self, telling: Telling) -> None:
        self.telling = telling
        self.calls: dict[str, RunCall] = {}
        self.workflows: dict[str, str] = {}
        self.changed: set[str] = set()
        self._of_path: dict[str, list[RunCall]] = {}
        self._touched: set[str] = set()
        self._epoch: int | None = None

    def take(self, entry: Entry) -> list[Event]:
        """What the next entry is told as. Raises `DamagedEntry`."""
        given, at = entry.input, entry.at
        self._begin_life(entry.epoch)
        if isinstance(given, _COSTS) and (call := self._touch(given.id)) is not None:
            _answer(call, given, at)
        if isinstance(given, Told):
            self._touch(given.id)
        if isinstance(given, Ended):
            self._charge_told(given.path)
        commands, events = self.telling.take(entry)
        if isinstance(given, Opened):
            self.workflows[given.path] = given.source_name
        if isinstance(given, Said):
            self._ask_all(given, at)
        for command in commands:
            self._take_command(command, at)
        if isinstance(given, Ended):
            self._cancel(self._of_path.pop(given.path, []))
        self._date_ends(at)
        return events

    def end(self, summary: Summary) -> None:
        """Take in how the run stands: the end of the root is no entry."""
        if summary.state == "ended" and summary.verdict not in RESUMABLE:
            self._cancel(self.calls.values())
            self._date_ends((summary.updated_at - summary.created_at) / 1000)

    def charge_interrupted(self) -> None:
        """Count what agents at work have told by now, as the next life does if there is no answer."""
        core = self.telling.core
        for charged in interrupted.charges(core.tree):
            if (call := self.calls.get(charged.id)) is not None:
                _answer(call, charged, 0.0)
            core.step(core.tree.now, charged)

    def _charge_told(self, path: str) -> None:
        """Count what agents of a workflow that ends have told, of whom nothing else comes any more."""
        workflow = self.telling.core.tree.workflows.get(path)
        for each in workflow.calls.values() if workflow is not None else ():
            call = self._touch(each.id)
            if each.told is not None and call is not None and call.attempts:
                call.attempts[-1].costs.charge(each.told.spent, counts_of(each.told.facts))

    def _touch(self, identifier: str) -> RunCall | None:
        call = self.calls.get(identifier)
        if call is not None:
            self._touched.add(identifier)
        return call

    def _date_ends(self, at: float) -> None:
        for identifier in self._touched:
            call = self.calls[identifier]
            if call.state in ("queued", "open"):
                call.ended = None
            elif call.ended is None:
                call.ended = at
        self.changed |= self._touched
        self._touched.clear()

    def _begin_life(self, epoch: int) -> None:
        if self._epoch not in (None, epoch):
            for call in self.calls.values():
                is_at_work = call.state == "open" and call.attempts and call.attempts[-1].ended is None
                if is_at_work and not self._is_heard(call.id):
                    call.attempts[-1].lives += 1
                    self._touched.add(call.id)
        self._epoch = epoch

    def _is_heard(self, identifier: str) -> bool:
        """Whether there is an answer already, and nobody is asked again."""
        call = self.telling.core.tree.call(identifier)
        return call is not None and call.heard is not None

    def _ask_all(self, said: Said, at: float) -> None:
        workflow = self.telling.core.tree.workflows.get(said.path)
        phase = workflow.phase if workflow is not None else ""
        for request in said.requests:
            call = _new(said.path, request, phase, at)
            self.calls[call.id] = call
            self._of_path.setdefault(call.path, []).append(call)
            self._touched.add(call.id)

    def _take_command(self, command: Command, at: float) -> None:
        match command:
            case Ask():
                if (call := self._touch(command.id)) is not None:
                    call.state = "open"
                    if command.tries == 1:
                        call.attempts.append(CallAttempt(command.attempt, at))
            case Emit(path, kind, members) if kind in _ENDS:
                if (call := self._touch(_id(path, members["request_id"]))) is not None:
                    _end(call, kind, members)
            case Tell(path):
                for resolve in command.resolves:
                    if (call := self._touch(_id(path, resolve.id))) is not None:
                        _settle(call, resolve.resolution)

    def _cancel(self, calls: Iterable[RunCall]) -> None:
        """Their workflow is over."""
        for call in calls:
            if call.state in ("queued", "open"):
                call.state = "cancelled"
                self._touched.add(call.id)


def _new(path: str, request: Request, phase: str, at: float) -> RunCall:
    kind = request.type if isinstance(request, UnknownRequest) else _kind(request)
    options = getattr(request, "options", MISSING)
    texts = options if isinstance(options, dict) else {}
    label = texts.get("label", getattr(request, "label", None))
    own = texts.get("phase", phase)
    return RunCall(
        _id(path, request.id),
        path,
        kind,
        request,
        label if isinstance(label, str) else None,
        own if isinstance(own, str) and own else None,
        at,
    )


def _kind(request: Request) -> str:
    words = type(request).__name__.removesuffix("Request")
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in words).lstrip("_")


def _id(path: str, identifier: str) -> str:
    return f"{path}/{identifier}" if path else identifier


def _answer(call: RunCall, given: Answered | Refused | Heard | Charged, at: float) -> None:
    """Note what was answered, before the core has said what follows."""
    if call.state in ("cancelled", "failed", "answered"):
        return
    attempt = call.attempts[-1] if call.attempts else None
    if attempt is not None:
        _charge(attempt, given)
    call.model = _text(given.facts, "model") or call.model
    if isinstance(given, Heard | Charged):
        return
    if attempt is not None:
        attempt.ended = at
    if isinstance(given, Answered):
        call.state, call.value = "answered", given.value
        _tell(call, given.facts)
    elif attempt is not None and given.reason is Reason.WRONG_ANSWER:
        attempt.refused.append(RefusedAnswer(given.text, given.message))
    elif attempt is not None and given.reason is Reason.SHARE and not _is_begun(attempt, given):
        call.attempts.remove(attempt)
        call.state = "queued"
    elif attempt is not None:
        attempt.error = given.message
    if isinstance(given, Refused) and call.kind != "agent":
        call.state, call.error = "failed", given.message


def _is_begun(attempt: CallAttempt, given: Refused) -> bool:
    """Whether anything was spent; else the agent is asked when it may spend more, and this was no attempt."""
    return bool(attempt.refused or given.spent.tokens or given.spent.cost_usd != 0)


def _charge(attempt: CallAttempt, given: Answered | Refused | Heard | Charged) -> None:
    was_heard, attempt.is_heard = attempt.is_heard, isinstance(given, Heard)
    # The answer of one that was heard has the facts again.
    attempt.costs.charge(given.spent, None if was_heard else counts_of(given.facts))


# Events that an agent's call may end with.
_ENDS = frozenset({"agent_completed", "agent_failed", "agent_cancelled"})


def _end(call: RunCall, kind: str, members: Mapping[str, Any]) -> None:
    if kind == "agent_cancelled":
        call.state = "cancelled"
    elif kind == "agent_completed":
        if members.get("cached"):  # else it is known from the answer
            _reuse(call, members)
    elif members["will_retry"]:
        call.state = "queued"
    else:
        call.state = "failed" if members["attempt"] else "refused"
        call.error = members["message"]


def _reuse(call: RunCall, members: Mapping[str, Any]) -> None:
    """Note an answer that was there already."""
    call.state, call.value, call.reused = "answered", members["value"], True
    _tell(call, members)
    run_id, request = _text(members, "from_run_id"), _text(members, "from_request_id")
    call.reused_from = None if run_id is None or request is None else (run_id, request)


def _settle(call: RunCall, resolution: Resolution) -> None:
    """Note how a call ended that nobody has answered, such as a sleep."""
    if call.state not in ("queued", "open"):
        return
    match resolution:
        case Rejected(message):
            call.state, call.error = "refused", message
        case Ok(value):  # that of a child workflow which another run had
            call.state, call.value, call.reused = "answered", value, True
        case _:
            call.state = "done"


def _tell(call: RunCall, facts: Mapping[str, Any]) -> None:
    """Note what was told beside an answer; a damaged store may have anything."""
    call.model, call.session_id = _text(facts, "model") or call.model, _text(facts, "session_id")
    tree = facts.get("worktree")
    call.worktree = tree if isinstance(tree, Mapping) else None


def _text(facts: Mapping[str, Any], name: str) -> str | None:
    value = facts.get(name)
    return value if isinstance(value, str) else None
