"""What a log has of listeners: that one raised where nothing can end its run any more."""

from __future__ import annotations

from flowcage.host.events.event import Event
from flowcage.host.terminal.log import logger, name_of

_RUNS = logger("run")


def failed_at_the_end(event: Event, error: Exception) -> None:
    """A listener raised at the last event of its run, or before, when that was over."""
    fields = {
        "run_id": event.root_run_id,
        "tenant": name_of(event.tenant),
        "error_type": type(error).__name__,
    }
    _RUNS.error(
        "the listener of run %s failed, and the run was over: %s",
        event.root_run_id,
        type(error).__name__,
        extra=fields,
    )
