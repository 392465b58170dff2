"""One run as its page document, a call with all of its texts, open questions; and what is new of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import trio

from flowcage.host.agents.people import Question
from flowcage.host.durable.records import RunRecord
from flowcage.host.page.feed import update
from flowcage.host.page.fold import About, PageFold
from flowcage.host.page.sources import Sources
from flowcage.host.resume.questions import open_questions
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.problems import Problem


async def document_of(runs: KeptRuns, sources: Sources, run_id: str) -> dict[str, Any]:
    """The page document of a run."""
    return (await trio.to_thread.run_sync(_begun, *(await _known(runs, sources, run_id))))[1]


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


async def changes_of(
    runs: KeptRuns, sources: Sources, run_id: str
) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    """A run as long as somebody looks: at first ``page``, the document, then ``delta`` after ``delta``."""
    fold: PageFold | None = None
    async with aclosing(runs.changes(run_id)) as changes:
        async for summary in changes:
            if fold is None or not fold.next <= summary.entries:  # another run of this name, by now
                known = await _known(runs, sources, run_id)
                fold, whole = await trio.to_thread.run_sync(_begun, *known)
                yield "page", whole
            elif (delta := await update(runs.store, fold, summary)) is not None:
                yield "delta", delta


async def _known(runs: KeptRuns, sources: Sources, run_id: str) -> tuple[RunRecord, dict[str, About]]:
    record = await runs.record(run_id)
    return record, await sources.about(record)


def _begun(record: RunRecord, about: dict[str, About]) -> tuple[PageFold, dict[str, Any]]:
    fold = PageFold(record, about=about)
    return fold, fold.whole()
