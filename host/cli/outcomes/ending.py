"""How ``flowcage run`` ends: one JSON line on stdout, messages on stderr, the exit status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NoReturn, TypeAlias

from flowcage.host.cli import engine, exits
from flowcage.host.cli.arguments import Script
from flowcage.host.cli.console import fail, note, warn
from flowcage.host.cli.outcomes.conclusion import Conclusion
from flowcage.host.durable.errors import StoreError
from flowcage.host.durable.reuse.terms import NotForkable
from flowcage.host.events.records import Diagnosed, Event, Listener
from flowcage.host.outcome.ending import failure_to_json, interruption_to_json
from flowcage.host.outcome.errors import RunError
from flowcage.host.outcome.report import Census, Outcome, Report
from flowcage.host.outcome.verdict import RESUMABLE, Verdict
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.run.event_loops import Terminated, run_to_end_or_signal
from flowcage.host.run.node import new_run_id
from flowcage.host.run.run import Run
from flowcage.host.terminal.text import leave

# What to do before a run is gone on with whose agents cannot be asked.
ACCOUNT = "log in, or see to the credit and the quota of the account; what was answered is kept with the run"
# Which failed agent calls make a completed run exit with 1.
FailOn: TypeAlias = Literal["none", "any", "all"]


class Ending:
    """Of one run, whose id is known from the first moment on.

    Args:
        script: the workflow.
        fail_on: see `FailOn`.
        conclusion: tells of the end.
        run_id: of a run that is gone on with.

    Attributes:
        is_kept: whether a store has it, so that it can be resumed.
        run: once there is one.
    """

    def __init__(
        self, script: Script, fail_on: FailOn, conclusion: Conclusion, *, run_id: str | None = None
    ) -> None:
        self.run_id = run_id or new_run_id()
        self.is_kept = False
        self.run: Run | None = None
        self._script = script
        self._fail_on = fail_on
        self._conclusion = conclusion
        self._findings: set[str] = set()

    def begin(self, run: Run, is_kept: bool) -> None:
        """The run, or another life of it, is about to be carried out."""
        self.run, self.is_kept = run, is_kept

    def hears(self, listener: Listener | None) -> Listener:
        """A listener that also tells what was found in a source, before anybody is asked."""

        def hear(event: Event) -> None:
            if isinstance(event, Diagnosed) and "severity" in event.diagnostic:
                self._tell_finding(str(event.diagnostic["message"]))
            if listener is not None:
                listener(event)

        return hear

    def _tell_finding(self, message: str) -> None:
        if message not in self._findings:
            self._findings.add(message)
            note(self._script.as_typed(f"warning: {message}"))

    def of(self, work: Callable[[], Awaitable[Outcome]]) -> NoReturn:
        """Carry out the run, tell how it ended, and leave.

        Raises:
            KeyboardInterrupt: Ctrl-C, after it was told on stdout.
            Exception: a fault of flowcage's own, likewise.
        """
        try:
            outcome = run_to_end_or_signal(work)
        except RunError as error:
            self._fail(error)
        except (StoreError, NotResumable, NotForkable) as refused:
            fail(exits.USAGE, str(refused))
        except Terminated as ended:
            self._tell_how_to_resume()
            self._offer(Verdict.HOST_SHUTDOWN, f"ended by {ended}")
            fail(128 + ended.number, f"ended by {ended}")
        except KeyboardInterrupt:
            self._tell_how_to_resume()
            self._offer(Verdict.HOST_SHUTDOWN, "interrupted")
            raise
        except Exception as error:
            self._offer(Verdict.HOST_FAULT, f"internal error: {exits.innermost(error)!r}")
            raise
        self._complete(outcome)

    def _complete(self, outcome: Outcome) -> NoReturn:
        self._warn(outcome.report)
        loss = explain_loss(outcome.census, self._fail_on)
        if loss is not None:
            note(loss)
        try:
            self._conclusion.of(outcome.report, outcome.to_json(), is_kept=self.is_kept)
        except OSError as error:
            fail(exits.OUR_FAULT, f"the result cannot be written: {error.strerror}")
        leave(exits.DONE if loss is None else exits.FAILED)

    def _fail(self, error: RunError) -> NoReturn:
        note(self._script.as_typed(exits.explain(error, self._script.text_at(error))))
        report = getattr(error, "report", None) or self._report(error.verdict)
        self._warn(report)
        if error.verdict is Verdict.AGENTS_UNAVAILABLE:
            note(ACCOUNT)
        if error.verdict in RESUMABLE:
            self._tell_how_to_resume()
        try:
            self._conclusion.of(report, failure_to_json(error, report), is_kept=self.is_kept)
        except OSError as broken:  # the exit status tells of the run all the same
            note(f"the result cannot be written: {broken.strerror}")
        leave(exits.status(error))

    def _warn(self, report: Report) -> None:
        warn(report, self._script, self._findings)
        slow_engine = None if self._conclusion.is_quiet else engine.note_on(report.usage)
        if slow_engine is not None:
            note(slow_engine)

    def _offer(self, verdict: Verdict, message: str) -> None:
        report = self._report(verdict)
        self._conclusion.offer(report, interruption_to_json(verdict, message, report), is_kept=self.is_kept)

    def _tell_how_to_resume(self) -> None:
        if self.is_kept:
            note(f"resume with: flowcage resume {self.run_id}")

    def _report(self, verdict: Verdict) -> Report:
        """What is known of the run by now, which may not have begun."""
        return (self.run and self.run.report) or Report(self.run_id, verdict)


def explain_loss(census: Census, fail_on: FailOn) -> str | None:
    """Why a run that completed counts as failed; None where it does not."""
    calls, lost = census.calls, census.failed + census.refused
    if fail_on == "all" and census.is_total_loss:
        return f"exit status 1: no agent call of {calls} has an answer; --fail-on none accepts that"
    if fail_on == "any" and census.has_failures:
        return f"exit status 1: {lost} of {calls} agent calls have no answer (--fail-on any)"
    return None
