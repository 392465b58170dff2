"""Questions of runs that a store keeps: which wait, and how one is answered from outside of its run.

An answer is held to what the question takes before it is given to the store, so what is wrong with it is told
to whoever gives it, and the question stays open. The store takes the first one, whether the run is live here
or on another machine, asleep, or was broken off: then its next life takes it in.
"""

from __future__ import annotations

from contextlib import nullcontext

import trio

from flowcage.host.agents.people import Question, question_of
from flowcage.host.agents.schema import checker
from flowcage.host.agents.schema.checks import SchemaChecks
from flowcage.host.durable.errors import RunHasEnded, UnknownRun
from flowcage.host.durable.records import RunRecord, Summary
from flowcage.host.durable.store import Store
from flowcage.host.outcome.errors import FlowcageError, RequestNotWaiting
from flowcage.host.outcome.verdict import RESUMABLE
from flowcage.host.resume.fold import past_of
from flowcage.host.resume.outside import Outside
from flowcage.host.run.core.inputs import Answered, Refused, Said
from flowcage.host.terminal.text import cut
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import AskRequest, Json, Request


class QuestionNotOpen(RequestNotWaiting):
    """A request was to be answered that is no question, or has its answer already.

    Attributes:
        request_id: as it was given; "" where none was.
    """

    def __init__(self, request_id: str, why: str) -> None:
        FlowcageError.__init__(self, why)
        self.request_id = request_id


class AnswerDoesNotFit(FlowcageError):
    """An answer is not what its question takes; the question stays open.

    Attributes:
        request_id: of the question.
        problem: what is wrong with the answer.
    """

    def __init__(self, request_id: str, problem: str) -> None:
        super().__init__(f"question {request_id} does not take this answer: {problem}")
        self.request_id = request_id
        self.problem = problem


def open_questions(record: RunRecord) -> list[Question]:
    """The questions of a run that nobody has answered, in the order in which they were asked.

    Raises:
        DamagedEntry: the log is none of a run's.
    """
    run_id = record.summary.run_id
    tree = past_of(record).core.tree
    calls = [call for workflow in tree.workflows.values() for call in workflow.calls.values()]
    answered = {each.request for each in record.answers}
    return [
        question_of(run_id, call.id, call.request)
        for call in calls
        if isinstance(call.request, AskRequest) and call.stage == "person" and call.id not in answered
    ]


async def find_question(
    store: Store,
    run_id: str,
    request: str | None,
    *,
    tenant: str | None = None,
    outside: Outside | None = None,
) -> tuple[Question, int]:
    """The question that an answer is for, and how many bytes its answer may have.

    Args:
        store: that keeps the run.
        run_id: of the run.
        request: of the question, by its id in the tree; None where there is one only.
        tenant: whose the run must be.
        outside: of this host, which knows questions of its live runs that are not written yet.

    Raises:
        UnknownRun, RunHasEnded, DamagedEntry: of the run.
        QuestionNotOpen: there is no such question, or it is answered.
    """
    summary = await store.get(run_id)
    _require_open(summary, tenant)
    live = None if outside is None or request is None else outside.question(run_id, request)
    record = await store.load(run_id)
    found = {each.id: each for each in open_questions(record)}
    if live is not None and request is not None and request not in {each.request for each in record.answers}:
        found.setdefault(request, question_of(run_id, request, live))
    if request is None and len(found) != 1:
        raise QuestionNotOpen("", _why_not_one(run_id, list(found)))
    question = next(iter(found.values())) if request is None else found.get(request)
    if question is None:
        assert request is not None
        raise QuestionNotOpen(request, _why_not_open(record, request))
    workflow = record.workflows.get(question.id.rpartition("/")[0])
    limits = {} if workflow is None else workflow.limits
    return question, limits.get("maxMessageBytes", Limits().max_message_bytes)


async def answer(store: Store, question: Question, value: Json, max_bytes: int) -> None:
    """Answer a question.

    Raises:
        AnswerDoesNotFit: the question does not take this value.
        SchemaRefused, AgentError: the question's schema cannot be applied.
        QuestionNotOpen: another answer came first.
        UnknownRun, RunHasEnded, StoreFailed: of the run.
    """
    problem = await question.why_not(value, schemas(), max_bytes)
    if problem is not None:
        raise AnswerDoesNotFit(question.id, problem)
    await _give(store, question, Answered(question.id, value))


async def reject(store: Store, question: Question, message: str) -> None:
    """Refuse to answer a question: in the workflow it rejects with this message. Raises as `answer`."""
    await _give(store, question, Refused(question.id, message))


async def _give(store: Store, question: Question, given: Answered | Refused) -> None:
    if not await store.answer(question.run_id, given):
        raise QuestionNotOpen(
            question.id, f"question {question.id} is answered already; the first answer counts"
        )


def _require_open(summary: Summary, tenant: str | None) -> None:
    if tenant is not None and summary.tenant != tenant:
        raise UnknownRun(summary.run_id)
    goes_on = summary.verdict in RESUMABLE and summary.cancel is None
    if summary.state == "ended" and not goes_on:
        raise RunHasEnded(summary.run_id, summary.verdict)


def _why_not_one(run_id: str, found: list[str]) -> str:
    if not found:
        return f"run {run_id} asks nothing at the moment"
    return f"run {run_id} asks several questions: {', '.join(found)}; say which one is answered"


def _why_not_open(record: RunRecord, request: str) -> str:
    run_id, name = record.summary.run_id, cut(request, 40)
    asked = request_of(record, request)
    if asked is None:
        return f"run {run_id} has no request {name!r}"
    if not isinstance(asked, AskRequest):
        kind = type(asked).__name__.removesuffix("Request").lower()
        return f"request {name} of run {run_id} is no question of ask(): it is of the kind {kind}"
    if request in {each.request for each in record.answers}:
        return f"question {name} is answered already; the run takes the answer in when it goes on"
    return f"question {name} is answered already; the first answer counts"


def request_of(record: RunRecord, identifier: str) -> Request | None:
    """A request of a run by its id in the tree; None where there is none."""
    path, _, wire_id = identifier.rpartition("/")
    for entry in record.entries:
        if isinstance(entry.input, Said) and entry.input.path == path:
            for request in entry.input.requests:
                if request.id == wire_id:
                    return request
    return None


def schemas() -> SchemaChecks:
    """What applies schemas of questions outside of their runs."""
    slots = trio.CapacityLimiter(checker.AT_ONCE)
    return SchemaChecks(
        checker.Checker(slots, None, lambda _pid, _bytes: nullcontext(), lambda _seconds: None)
    )
