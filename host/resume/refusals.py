"""Which runs of a store are not gone on with, or not begun, and why."""

from __future__ import annotations

from flowcage.host.durable.errors import UnknownRun
from flowcage.host.durable.records import RunRecord, Summary
from flowcage.host.outcome.errors import FlowcageError
from flowcage.host.outcome.verdict import RESUMABLE, Verdict


class NotResumable(FlowcageError):
    """A run that cannot be gone on with: it goes on, has ended by itself, or has diverged."""


class GoesOn(NotResumable):
    """A run that another host has."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} goes on already, in another process")


class StartedBefore(Exception):
    """A start with this key has led to a run before.

    Attributes:
        run_id: of that run.
    """

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the start has led to run {run_id} before")
        self.run_id = run_id


def require_resumable(
    summary: Summary, tenant: str | None, even_if_cancelled: bool, *, reopens: bool = True
) -> None:
    """Refuse a run that is another tenant's (`UnknownRun`), or over (`NotResumable`)."""
    run_id = summary.run_id
    if tenant is not None and summary.tenant != tenant:
        raise UnknownRun(run_id)
    if summary.state == "diverged":
        raise NotResumable(f"run {run_id} has diverged: told the same, it did something else")
    if summary.state == "ended" and summary.cancel is not None and not even_if_cancelled:
        why = f": {summary.cancel.reason}" if summary.cancel.reason else ""
        how = "even_if_cancelled (--even-if-cancelled) goes on with it all the same"
        raise NotResumable(f"run {run_id} was cancelled{why}; {how}")
    if summary.state == "ended" and not (reopens and summary.verdict in {each.value for each in RESUMABLE}):
        ended = "has completed" if summary.verdict == Verdict.COMPLETED else f"has ended: {summary.verdict}"
        raise NotResumable(f"run {run_id} {ended}; there is nothing to go on with")


def require_handlers(record: RunRecord, handlers: frozenset[str]) -> None:
    """Refuse a run of whose kinds of request one is not answered here (`NotResumable`)."""
    if missing := record.rules.handlers - handlers:
        run_id = record.summary.run_id
        raise NotResumable(f"run {run_id} needs a handler of {', '.join(sorted(missing))}")
