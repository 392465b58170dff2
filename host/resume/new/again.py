"""Whether a run of the queue is gone on with by itself, where a life of it ended by no doing of its own."""

from __future__ import annotations

from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.store import Store
from flowcage.host.durable.ticket import Ticket
from flowcage.host.outcome.errors import CannotSend
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.resume.new.queued import retries_of

# Of those that can be gone on with: not those that somebody wanted, nor what would be the same at once.
RETRIED = frozenset({Verdict.CRASHED, Verdict.NOT_STARTED, Verdict.HOST_FAULT, Verdict.AGENTS_UNAVAILABLE})
# Where no child could be started, which is the machine's fault more often than the run's.
MOST_STARTS = 3
_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS = 5_000, 3_600_000
_LONGEST_WHY = 500


def goes_again(record: RunRecord | None, verdict: Verdict, error: Exception | None = None) -> bool:
    """Whether a run that has ended like this is put back into the queue.

    Args:
        record: of the run; None for one that this host has just begun.
        verdict, error: of its end.
    """
    if isinstance(error, CannotSend):  # nor can anybody else
        return False
    return record is not None and record.summary.tries < _most(record, verdict)


def left(
    store: Store, run_id: str, epoch: int, record: RunRecord | None, verdict: Verdict, error: Exception | None
) -> Ticket[None]:
    """Leave a run to whoever goes on with it: at once where its host ends, else after a pause.

    Args:
        store: that keeps it.
        run_id, epoch: of the claim.
        record: of the run.
        verdict, error: how its life has ended.
    """
    if record is None or verdict is Verdict.HOST_SHUTDOWN:
        return store.release(run_id, epoch)
    tries, most = record.summary.tries, _most(record, verdict)
    pause = min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS * 2 ** min(tries, 20))
    why = f"{verdict}: {error or verdict}; try {tries + 2} of {most + 1} follows"
    return store.try_again(run_id, epoch, why[:_LONGEST_WHY], store.now() + pause)


def _most(record: RunRecord, verdict: Verdict) -> int:
    """How often a run is put back that ends like this."""
    if record.summary.pool is None or verdict not in RETRIED:
        return 0
    retries = retries_of(record.settings)
    return max(retries, MOST_STARTS - 1) if verdict is Verdict.NOT_STARTED else retries
