"""What one live run is given from outside, and what it makes of it."""

from __future__ import annotations

from flowcage.host.durable.errors import Fenced, RunHasEnded, StoreFailed, UnknownRun
from flowcage.host.durable.records import Cancel
from flowcage.host.durable.store import Store
from flowcage.host.outcome.cancel import CancelRequested
from flowcage.host.resume.keeper import Keeper
from flowcage.host.run.core.inputs import Answered, Refused
from flowcage.host.run.run import Run
from flowcage.protocol.messages import AskRequest


class Given:
    """See `flowcage.host.resume.outside.Outside.hearing`.

    The store decides which answer to a question is the first, also where a handler of this host gives one. It
    keeps the first until the run has taken it in, in one commit with the entry that says so.

    Args:
        store: that keeps the run.
        keeper: of the run.
        run: that this host has.
    """

    def __init__(self, store: Store, keeper: Keeper, run: Run) -> None:
        self._store = store
        self._keeper = keeper
        self._run = run
        self._early: dict[str, Answered | Refused] = {}
        self._taken: set[str] = set()
        questions = run.driver.questions
        questions.is_first, questions.asked = self._is_first, self._asked

    def take(self, answer: Answered | Refused) -> None:
        """An answer, which the store keeps until it is taken in."""
        call = self._run.driver.core.tree.call(answer.id)
        if answer.id in self._taken:
            return
        if call is None:  # its question may come: this host may have killed the one that had asked it
            self._early[answer.id] = answer
        elif call.stage == "person":
            self._expect(answer.id)
            self._run.driver.questions.answer(answer)
        else:
            self._keeper.discard_outside(answer.id)

    def end(self, cancel: Cancel) -> None:
        """Somebody asked for the run to end."""
        self._run.abandon(CancelRequested(cancel.reason))

    def question(self, request: str) -> AskRequest | None:
        """The question with this id, if it waits."""
        call = self._run.driver.core.tree.call(request)
        return call.request if call is not None and isinstance(call.request, AskRequest) else None

    def _asked(self, request: str) -> None:
        if (answer := self._early.pop(request, None)) is not None:
            self.take(answer)

    def _expect(self, request: str) -> None:
        self._taken.add(request)
        self._keeper.expect_outside(request)

    async def _is_first(self, answer: Answered | Refused) -> bool:
        """Have an answer of this host's handler count, unless another came before it."""
        try:
            is_first = await self._store.answer(self._keeper.run_id, answer)
            if is_first and answer.id not in self._taken:
                self._expect(answer.id)
                return True
            for other in await self._store.answers(self._keeper.run_id):
                if other.request == answer.id:
                    self.take(other.answer)
        except StoreFailed as error:
            self._run.abandon(error)
        except (RunHasEnded, UnknownRun):
            self._run.abandon(Fenced(self._keeper.run_id, self._keeper.epoch))
        return False
