"""One run as its page document, a call with all of its texts, open questions; and what is new of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import trio

from flowcage.host.agents.people import Question
from flowcage.host.durable.records import Ending, Entry, NewWorkflow, RunRecord, Summary
from flowcage.host.page.fold import PageFold
from flowcage.host.resume.questions import open_questions
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.problems import Problem


async def document_of(runs: KeptRuns, run_id: str) -> dict[str, Any]:
    """The page document of a run."""
    record = await runs.record(run_id)
    return await trio.to_thread.run_sync(lambda: PageFold(record).whole())


async def call_of(runs: KeptRuns, run_id: str, identifier: str) -> dict[str, Any]:
    """One call of a run, whole."""
    record = await runs.record(run_id)
    found = await trio.to_thread.run_sync(lambda: PageFold(record).call(identifier))
    if found is None:
        raise Problem(404, f"run {run_id} has no call {identifier[:40]!r}")
    return found


async def questions_of(runs: KeptRuns, run_id: str) -> list[dict[str, Any]]:
    """The questions of a run that wait for a person, with what their answers must be."""
    record = await runs.record(run_id)
    return [question_json(each) for each in await trio.to_thread.run_sync(_open_questions, record)]


def _open_questions(record: RunRecord) -> list[Question]:
    return [] if record.summary.state in ("ended", "diverged") else open_questions(record)


def question_json(question: Question) -> dict[str, Any]:
    """A question as the answer has it."""
    return {
        "id": question.id,
        "question": str(question.question),
        "label": question.label,
        "schema": question.schema,
        "options": [each.label for each in question.options],
        "takesText": question.takes_text,
    }


async def changes_of(runs: KeptRuns, run_id: str) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    """A run as long as somebody looks: at first ``page``, the document, then ``delta`` after ``delta``."""
    fold: PageFold | None = None
    async with aclosing(runs.changes(run_id)) as changes:
        async for summary in changes:
            if fold is None or not fold.next <= summary.entries:  # another run of this name, by now
                record = await runs.store.load(run_id)
                fold, whole = await trio.to_thread.run_sync(_begun, record)
                yield "page", whole
            else:
                new = await _news(runs, fold, summary)
                yield "delta", await trio.to_thread.run_sync(_taken, fold, new)


def _begun(record: RunRecord) -> tuple[PageFold, dict[str, Any]]:
    fold = PageFold(record)
    return fold, fold.whole()


_New = tuple[list[Entry], Summary, Ending | None, dict[str, NewWorkflow]]


async def _news(runs: KeptRuns, fold: PageFold, summary: Summary) -> _New:
    """What came since; the whole record is read only where more of it is needed than the entries."""
    entries = await runs.store.entries(fold.summary.run_id, fold.next)
    if summary.state in ("ended", "diverged") or fold.lacks(entries):
        record = await runs.store.load(fold.summary.run_id)
        since = list(record.entries[fold.next :])
        return since, record.summary, record.ending, dict(record.workflows)
    return entries, summary, None, {}


def _taken(fold: PageFold, new: _New) -> dict[str, Any]:
    entries, summary, ending, workflows = new
    return fold.take(entries, summary, ending=ending, workflows=workflows)
