"""What one live run is given from outside, and what it makes of it."""

from __future__ import annotations

from collections.abc import Callable

import trio

from flowcage.host.durable.errors import Fenced, RunHasEnded, StoreError, StoreFailed, UnknownRun
from flowcage.host.durable.records import Cancel
from flowcage.host.durable.store import Store
from flowcage.host.outcome.cancel import CancelRequested
from flowcage.host.resume.keeper import Keeper
from flowcage.host.run.core.inputs import Answered, Noted, Refused
from flowcage.host.run.run import Run
from flowcage.protocol.messages import AskRequest

# The kind of a diagnostic: an answer that was put into the store is none to its question.
ANSWER_NOT_TAKEN = "answer_not_taken"


class Given:
    """See `flowcage.host.resume.outside.Outside.hearing`.

    The store decides which answer to a question is the first, also where a handler of this host gives one. It
    keeps the first until the run has taken it in, in one commit with the entry that says so. Whoever can
    write to the store can answer, so the run holds each answer to its question once more. One that does not
    fit is dropped, with a diagnostic, and the question stays open.

    Args:
        store: that keeps the run.
        keeper: of the run.
        run: that this host has.
        forget: is called with the request of an answer that was dropped.
    """

    def __init__(self, store: Store, keeper: Keeper, run: Run, forget: Callable[[str], None]) -> None:
        self._store = store
        self._keeper = keeper
        self._run = run
        self._forget = forget
        self._early: set[str] = set()
        self._taken: set[str] = set()
        self._judging = trio.Lock()
        questions = run.driver.questions
        questions.is_first, questions.asked = self._is_first, self._asked

    def take(self, answer: Answered | Refused) -> None:
        """An answer, which the store keeps until it is taken in."""
        call = self._run.driver.core.tree.call(answer.id)
        if answer.id in self._taken:
            return
        if call is not None and call.stage != "person":
            self._keeper.discard_outside(answer.id)
        # Its question may come: this host may have killed the one that had asked it.
        elif call is None or not self._run.spawn(self._judge, answer.id):
            self._early.add(answer.id)

    def end(self, cancel: Cancel) -> None:
        """Somebody asked for the run to end."""
        self._run.abandon(CancelRequested(cancel.reason))

    def question(self, request: str) -> AskRequest | None:
        """The question with this id, if it waits."""
        call = self._run.driver.core.tree.call(request)
        return call.request if call is not None and isinstance(call.request, AskRequest) else None

    def _asked(self, request: str) -> None:
        if request in self._early:
            self._early.discard(request)
            self._run.spawn(self._judge, request)

    def _expect(self, request: str) -> None:
        self._taken.add(request)
        self._keeper.expect_outside(request)

    async def _judge(self, request: str) -> None:
        try:
            await self._settled(request)
        except (StoreError, StoreFailed) as error:
            self._lost(error)

    async def _settled(self, request: str) -> bool:
        """Take in the answer that the store has for a question, or drop it; whether the question has one."""
        async with self._judging:  # the answer that is dropped must be the one that was judged
            questions = self._run.driver.questions
            for given in await self._store.answers(self._keeper.run_id):
                if given.request == request and questions.is_open(request):
                    problem = await questions.why_not(given.answer)
                    if problem is not None:
                        await self._drop(request, problem)
                        return False
                    if questions.is_open(request):
                        self._expect(request)
                        questions.answer(given.answer)
            return not questions.is_open(request)  # another task may have dropped what there was

    async def _drop(self, request: str, problem: str) -> None:
        message = f"an answer to question {request} that was put into the store is not taken: {problem}"
        path = request.rpartition("/")[0]
        self._run.driver.feed(Noted(path, {"kind": ANSWER_NOT_TAKEN, "message": message, "id": request}))
        await self._keeper.turn_away(request)
        self._forget(request)

    async def _is_first(self, answer: Answered | Refused) -> bool:
        """Have an answer of this host's handler count, unless another came before it."""
        try:
            while not await self._store.answer(self._keeper.run_id, answer):
                if await self._settled(answer.id):
                    return False
            if answer.id not in self._taken:
                self._expect(answer.id)
                return True
        except (StoreFailed, StoreError, Fenced) as error:
            self._lost(error)
        return False

    def _lost(self, error: Exception) -> None:
        """The store takes nothing, or another host has the run."""
        if isinstance(error, RunHasEnded | UnknownRun):
            error = Fenced(self._keeper.run_id, self._keeper.epoch)
        self._run.abandon(error if isinstance(error, StoreFailed | Fenced) else StoreFailed(str(error)))
