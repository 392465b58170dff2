"""``agent()``: from the call over its attempts and tries to one resolution.

A call may have several attempts (``options.retry``), and an attempt two tries where the first answer does not
fit the call's schema. Each of them counts against ``maxTotalAgents`` and the budget: they cost the same. A
try keeps the place at work that its attempt has; the wait before another attempt gives it back.
"""

from __future__ import annotations

from typing import Any

from flowcage.host.run.core.agents import told
from flowcage.host.run.core.agents.demand import take_note_of_demand
from flowcage.host.run.core.agents.shares import needed
from flowcage.host.run.core.agents.terms import terms_of, text_of
from flowcage.host.run.core.commands import Ask, Verdict
from flowcage.host.run.core.inputs import NO_FACTS, Answered, Charged, Heard, Reason, Refused, Reused, Told
from flowcage.host.run.core.tree import Call, Tree, Workflow
from flowcage.protocol.messages import AgentRequest, Missing, Ok, Rejected

# Answers that an attempt may have: the second time, the agent is shown what was wrong.
MAX_TRIES = 2
# How often a workflow may go on asking after a cap was reached; as often as the cap allows if that is more.
MIN_REFUSALS = 100
# Why a call that is at work gets no second try, which would cost as much once more.
NOT_BESIDE_OTHERS = "the agent is not asked once more: what is left of the ceilings, others at work may spend"
# Characters of a refused answer that events and reports keep.
MAX_REFUSED_TEXT = 2_000


class AgentCalls:
    """The rules of agent calls on one tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def begin(self, workflow: Workflow, call: Call, request: AgentRequest) -> None:
        """Queue a call, or refuse it at once."""
        options = request.options
        self.note(workflow, call, request)
        if not isinstance(options, Missing):
            try:
                call.terms = terms_of(options, self._tree.rules.max_sleep_ms, self._tree.sessions)
            except ValueError as error:
                self._refuse(call, str(error), Reason.BAD_CALL)
                return
        if (refusal := self._admit()) is not None:
            self._refuse(call, refusal)
        else:
            self._enqueue(call)

    def note(self, workflow: Workflow, call: Call, request: AgentRequest) -> None:
        """Read how a call is named, and tell of it."""
        options = request.options
        if not isinstance(options, Missing):
            call.label = text_of(options, "label")
            if "phase" in options:
                call.phase = text_of(options, "phase") or ""
        if call.phase:
            workflow.kept.phase(call.phase)
        if self._tree.is_watched:
            self._emit(call, "agent_queued", label=call.label, phase=call.phase or None)

    def ask(self, call: Call) -> None:
        """Begin the next attempt of a call that has a place at work."""
        if (refusal := self._over_budget()) is not None:  # others may have spent it while this one waited
            self._give_up_unasked(call, refusal)
            return
        if call.attempt == 0:
            for totals in self._tree.totals_of(call):
                totals.started += 1
        call.attempt, call.tries = call.attempt + 1, 1
        call.refused_text = call.handle = call.heard = None
        self._ask(call, None)

    def again(self, call: Call) -> None:
        """Queue the next attempt of a call whose wait is over."""
        if (refusal := self._admit()) is not None:
            self._give_up_unasked(call, refusal)
        else:
            self._enqueue(call)

    def paid(self, call: Call, given: Heard | Charged | Told) -> None:
        """Count what was spent before it is known what for, or for nothing; what is only told is kept."""
        if isinstance(given, Told):
            if call.heard is None:  # else the answer says it
                call.told = given
                self._tree.books.shares.tell(call.id, given.spent)
            return
        if isinstance(given, Heard):
            if call.heard is not None:
                return
            call.heard = given
        call.told = None
        if isinstance(given, Charged):
            told.add_untold(call, given.spent)
        self._tree.charge(call, given.spent, given.facts)
        self._tree.books.shares.spend(call.id, given.spent)

    def answered(self, call: Call, answer: Answered) -> None:
        """Resolve a call with its answer."""
        tree = self._tree
        self._charge(call, answer, completed=1)
        if tree.is_watched:
            self._emit(call, "agent_completed", **told.of_answer(call, answer))
        tree.settle(call, Ok(tree.sessions.value_of(call.id, call.request, answer), tree.budget))

    def reused(self, call: Call, reused: Reused) -> None:
        """Tell of an answer that another run has had."""
        if self._tree.is_watched:
            self._emit(call, "agent_completed", **told.of_reused(reused))

    def refused(self, call: Call, refusal: Refused) -> None:
        """Ask again, now or after a wait, or give the call up."""
        self._charge(call, refusal)
        message = refusal.message
        if refusal.reason is Reason.SHARE and not self._tree.books.shares.is_open(call.id):
            self._wait_for_more(call, refusal)
            return
        if refusal.reason is Reason.WRONG_ANSWER:
            self._keep_refused_answer(call, refusal)
            if call.tries < MAX_TRIES:
                self._try_again(call, refusal)
                return
            message = f"the agent gave no valid answer in {call.tries} tries: {message}"
        attempts = call.attempt - call.cut_short
        if attempts < call.terms.max_attempts and refusal.reason is not Reason.BAD_CALL:
            self._tell_of_failure(call, message, refusal, will_retry=True)
            self._tree.wait(call, call.terms.backoff_seconds(attempts))
        else:
            self._fail(call, message, refusal.reason, refusal)

    def _wait_for_more(self, call: Call, short: Refused) -> None:
        """Ask again when there is a larger share; what has cost nothing was no attempt."""
        tree = self._tree
        call.need = tree.books.shares.larger(call.id, needed(short.facts))
        if call.tries > 1 or short.spent.tokens or short.spent.cost_usd != 0:
            if (refusal := self._admit()) is not None:
                self._fail(call, refusal, Reason.REFUSED, short)
                return
            call.cut_short += 1
            self._tell_of_failure(call, short.message, short, will_retry=True)
        else:
            self._take_back(call)
        tree.give_place_back(call)
        tree.enqueue(call, first=True)

    def _enqueue(self, call: Call) -> None:
        self._tree.enqueue(call)
        take_note_of_demand(self._tree)

    def _take_back(self, call: Call) -> None:
        """The attempt that was commanded last was none."""
        call.attempt -= 1
        for totals in self._tree.totals_of(call):
            totals.started -= call.attempt == 0

    def too_late(self, call: Call, given: Answered | Refused | Heard | Charged | Told) -> None:
        """Count what an answer cost that no workflow waits for any more."""
        if isinstance(given, Heard | Told):
            self.paid(call, given)
            return
        self._charge(call, given)
        told.add_untold(call, told.whole(call, given.spent))
        self._tree.give_place_back(call)

    def cancelled(self, call: Call, *, has_begun: bool) -> None:
        """Tell of a call that ends with its workflow.

        Args:
            has_begun: the attempt that was commanded last; otherwise it was none.
        """
        if call.stage == "asked" and not has_begun:
            self._take_back(call)
        if call.stage == "asked" and call.heard is not None:
            told.add_untold(call, call.heard.spent)
        if call.told is not None:  # its host has ended, and nobody has asked again
            self._tree.charge(call, call.told.spent, call.told.facts)
            told.add_untold(call, call.told.spent)
        self._tree.totals.cancelled += 1
        tokens, cost_usd, _ = call.charged
        self._emit(call, "agent_cancelled", attempt=call.attempt, tokens=tokens, cost_usd=cost_usd)

    def _charge(self, call: Call, given: Answered | Refused | Charged, *, completed: int = 0) -> None:
        """Count what came of a question; where its answer was heard, that has counted for what it used."""
        call.told = None
        facts = given.facts if call.heard is None else NO_FACTS
        self._tree.charge(call, given.spent, facts, completed=completed)

    def _try_again(self, call: Call, wrong: Refused) -> None:
        refusal = self._admit() or (None if self._tree.may_ask_again(call) else NOT_BESIDE_OTHERS)
        if refusal is not None:
            self._fail(call, refusal, Reason.REFUSED, wrong)
            return
        call.tries, call.heard = call.tries + 1, None
        self._ask(call, wrong.message)

    def _ask(self, call: Call, problem: str | None) -> None:
        assert call.kind is not None
        self._tree.commands.append(
            Ask(
                call.id,
                call.path,
                call.kind,
                call.request,
                call.attempt,
                call.tries,
                call.terms.timeout_ms,
                call.phase,
                problem,
                handle=call.handle,
                refused=None if problem is None else call.refused_text,
                session=call.terms.session,
            )
        )

    def _admit(self) -> str | None:
        """Count one more question to an agent; why there may be none, as the workflow is told."""
        tree = self._tree
        if (refusal := self._over_budget()) is not None:
            return refusal
        most = tree.rules.max_total_agents
        if tree.admitted < most:
            tree.admitted += 1
            return None
        refusal = (
            f"agent() is refused: this run and its child workflows have asked agents {most} times, as often "
            "as the limit maxTotalAgents allows"
        )
        self._count_refusal(Verdict.AGENT_LIMIT, refusal)
        return refusal

    def _over_budget(self) -> str | None:
        refused = self._tree.books.refusal()
        if refused is None:
            return None
        self._count_refusal(*refused)
        return refused[1]

    def _count_refusal(self, verdict: Verdict, refusal: str) -> None:
        tree = self._tree
        tree.refusals += 1
        if tree.refusals >= max(MIN_REFUSALS, tree.rules.max_total_agents):
            message = f"the workflow went on after {tree.refusals} refusals; the last: {refusal}"
            tree.finish(tree.workflows[""], verdict, message=message)

    def _refuse(self, call: Call, message: str, reason: Reason = Reason.REFUSED) -> None:
        """Settle a call that never began."""
        for totals in self._tree.totals_of(call):
            totals.refused += 1
        self._tell_of_failure(call, message)
        self._settle_without_answer(call, message, reason)

    def _give_up_unasked(self, call: Call, refusal: str) -> None:
        if call.attempt == 0:
            self._refuse(call, refusal)
        else:
            self._fail(call, refusal, Reason.REFUSED)

    def _fail(self, call: Call, message: str, reason: Reason, told: Refused | None = None) -> None:
        """Settle a call that began and has no answer."""
        for totals in self._tree.totals_of(call):
            totals.failed += 1
        self._tell_of_failure(call, message, told)
        self._settle_without_answer(call, message, reason)

    def _settle_without_answer(self, call: Call, message: str, reason: Reason) -> None:
        tree, workflow = self._tree, self._tree.workflows[call.path]
        becomes_null = reason is not Reason.BAD_CALL and self._fails_as_null(workflow)
        if becomes_null or call.refused_text is not None:
            tree.diagnose(workflow, told.diagnostic(call, message, becomes_null=becomes_null))
        error = Rejected(
            f"{message}; the last answer was: {call.refused_text}" if call.refused_text else message
        )
        tree.settle(call, Ok(None, tree.budget) if becomes_null else error)

    def _fails_as_null(self, workflow: Workflow) -> bool:
        default = "null" if workflow.dialect == "script" else "throw"
        return (self._tree.rules.agent_failure or default) == "null"

    def _keep_refused_answer(self, call: Call, refusal: Refused) -> None:
        text = refusal.text or ""
        call.refused_text = text if len(text) <= MAX_REFUSED_TEXT else f"{text[:MAX_REFUSED_TEXT]}…"
        if self._tree.is_watched:
            self._emit(call, "answer_refused", **told.of_refused_answer(call, refusal))

    def _tell_of_failure(
        self, call: Call, message: str, given: Refused | None = None, *, will_retry: bool = False
    ) -> None:
        if self._tree.is_watched:
            self._emit(call, "agent_failed", **told.of_failure(call, message, given), will_retry=will_retry)

    def _emit(self, call: Call, kind: str, **members: Any) -> None:
        self._tree.emit(call.path, kind, request_id=call.request.id, **members)
