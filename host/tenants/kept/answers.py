"""Answers that a host gives to questions of runs that its store keeps."""

from __future__ import annotations

from flowcage.host.durable.store import Store
from flowcage.host.resume import questions
from flowcage.host.resume.outside import Outside
from flowcage.host.run.arguments import require_run_id
from flowcage.host.tenants.named_runs import DEFAULT_TENANT
from flowcage.protocol.messages import Json


class Answers:
    """The part of a host by which people answer."""

    _store: Store | None
    _outside: Outside | None

    async def answer(self, run_id: str, request: str, value: Json, *, tenant: str = DEFAULT_TENANT) -> None:
        """Answer a question of a run, which may be live here or elsewhere, asleep, or broken off.

        Args:
            run_id: of the run that was started; the question may be one of its child workflows'.
            request: of the question by its id in the tree, such as "7" or "3/1".
            value: the answer.
            tenant: whose run it is.

        Raises:
            AnswerDoesNotFit: the question does not take this answer; it stays open.
            QuestionNotOpen: there is no such question, or it has its answer; the first one counts.
            UnknownRun, RunHasEnded, StoreFailed: of the run.
        """
        store = self._answering_store()
        require_run_id(run_id)
        found, most = await questions.find_question(
            store, run_id, request, tenant=tenant, outside=self._outside
        )
        await questions.answer(store, found, value, most)

    async def reject(self, run_id: str, request: str, message: str, *, tenant: str = DEFAULT_TENANT) -> None:
        """Refuse to answer a question: ``ask()`` rejects with this message.

        Arguments and errors are those of `answer`.
        """
        store = self._answering_store()
        require_run_id(run_id)
        found, _ = await questions.find_question(store, run_id, request, tenant=tenant, outside=self._outside)
        await questions.reject(store, found, message)

    def _answering_store(self) -> Store:
        if self._store is None:
            raise ValueError("a host without a store asks nobody from outside; give it one, Host(store=…)")
        return self._store
