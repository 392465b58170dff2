"""What a person does to a run from its page: its end, and the answer to its question."""

from __future__ import annotations

from typing import Any

from flowcage.host.resume import questions
from flowcage.host.resume.looking import cancelling
from flowcage.host.resume.questions import AnswerDoesNotFit
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.problems import Problem

_REASON = 1_000  # characters


async def cancel(runs: KeptRuns, run_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """End a run, or ask its host to."""
    runs.require_acts()
    await runs.summary(run_id)
    reason = _text(given, "reason", _REASON) or ""
    done = await cancelling.cancel(runs.store, run_id, reason)
    return {"runId": run_id, "done": done}


async def answer(runs: KeptRuns, run_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """Answer a question of a run, or refuse to.

    Args:
        runs: that are shown.
        run_id: of the run.
        given: `request`, the question's id, and one of `value`, which is JSON, `typed`, as a person types an
            answer, and `reject`, a message.
    """
    runs.require_acts()
    ways = given.keys() & {"value", "typed", "reject"}
    if len(ways) != 1 or given.keys() - ways - {"request"}:
        raise Problem(400, "expected request, and one of value, typed and reject")
    request = _text(given, "request", 200)
    await runs.summary(run_id)
    store = runs.store
    question, most = await questions.find_question(store, run_id, request, tenant=runs.tenant)
    told = {"runId": run_id, "request": question.id}
    if "reject" in given:
        await questions.reject(store, question, _text(given, "reject", _REASON) or "")
        return told | {"done": "rejected"}
    value = given.get("value")
    if "typed" in given:
        try:
            value = question.read(_text(given, "typed", most) or "")
        except ValueError as error:
            raise AnswerDoesNotFit(question.id, str(error)) from None
    await questions.answer(store, question, value, most)
    return told | {"done": "answered"}


def _text(given: dict[str, Any], name: str, most: int) -> str | None:
    text = given.get(name)
    if text is not None and (not isinstance(text, str) or len(text) > most):
        raise Problem(400, f"{name}: expected a text of at most {most} characters")
    return text
