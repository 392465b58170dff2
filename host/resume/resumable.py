"""Which runs of a store can be gone on with."""

from __future__ import annotations

from flowcage.host.durable.errors import UnknownRun
from flowcage.host.durable.records import Summary
from flowcage.host.outcome.verdict import RESUMABLE, Verdict
from flowcage.host.resume.refusals import NotResumable


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
