"""Trying a fork out: it runs in its cage until somebody would have to be asked, and nothing of it is kept."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import trio

from flowcage.host.durable.reuse.explain import Explained, explain
from flowcage.host.outcome.errors import RunError
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.reuse.forks import Fork
from flowcage.host.run.options import RunOptions
from flowcage.host.run.run import Run
from flowcage.host.run.slots import Share
from flowcage.protocol.messages import Json


class Explanation(NamedTuple):
    """What a fork would reuse and what it would ask, as far as this is known before anybody is asked.

    Attributes:
        run_id: of the run whose answers are reused.
        calls: of the fork up to the point where an answer is needed, in the order in which they are made.
        reused: how many calls of agents have an answer, those below child workflows included.
        answers: how many the old run had an answer for.
        tokens: that these answers had cost, those that are reused.
        is_complete: whether the fork would end without asking anybody.
        error: how it ends then, where it fails.
    """

    run_id: str
    calls: list[Explained]
    reused: int
    answers: int
    tokens: int
    is_complete: bool
    error: str | None = None

    def to_json(self) -> dict[str, Json]:
        """In camelCase, as the command line prints it."""
        return {
            "runId": self.run_id,
            "reused": self.reused,
            "answers": self.answers,
            "tokens": self.tokens,
            "isComplete": self.is_complete,
            "error": self.error,
            "calls": [each.to_json() for each in self.calls],
        }


class Trial(Run):
    """A fork that asks nobody. Its child workflows are started, so the handler of ``workflow()`` is asked.

    Args:
        fork: that is tried out.
        options: of the run.
        share: what it may use of its tenant's.

    Attributes:
        explanation: from the end on.
    """

    explanation: Explanation

    def __init__(self, fork: Fork, options: RunOptions, share: Share | None = None) -> None:
        self._fork = fork
        self._needs_answer = trio.CancelScope()
        self._guide = fork.guide(options, idle=self._needs_answer.cancel)
        program = None if options.sandbox_exec is None else _nobody
        alone = replace(fork.options(options), agent=_nobody, sandbox_exec=program, listener=None)
        super().__init__(alone, fork.source_name, share, guide=self._guide)

    async def execute(self, _source: str = "", _args: Json = None) -> Outcome:
        """Run until somebody would have to be asked; the source is that of the fork.

        The outcome has a result where the fork completed without.
        """
        error, result = None, None
        with self._needs_answer:
            try:
                result = (await super().execute(self._fork.source, self._fork.args)).result
            except RunError as failure:
                error = f"{failure.verdict}: {failure}"
        self.explanation = await self._explain(error)
        assert self.report is not None
        return Outcome(result, self.report)

    async def _explain(self, error: str | None) -> Explanation:
        fork, decisions = self._fork, self._guide.decisions
        old = [each for each in fork.old.calls if not each.is_workflow]
        calls = await trio.to_thread.run_sync(partial(explain, old, decisions))
        return Explanation(
            fork.parent.summary.run_id,
            calls,
            sum(match.agents for _, match in decisions if match is not None),
            sum(each.agents for each in old if each.outcome == "answered"),
            sum(each.tokens for each in calls),
            not self._needs_answer.cancelled_caught,
            error,
        )


async def _nobody(_asked: Any) -> Any:
    await trio.sleep_forever()
