"""The one table of what may be said when, used by both sides.

A key is (state, method); its value is the state after the child has carried the message out. What is not
in the table is `invalid_state`. The diagram in the docs is drawn from this table.
"""

from __future__ import annotations

NEW = "new"  # the cage is open, no source accepted
READY = "ready"  # caged, nothing started
RUNNING = "running"  # a workflow was started; it may since have completed
FAILED = "failed"  # the run is over, its error is repeated
CLOSED = "closed"  # shutdown was answered

TRANSITIONS: dict[tuple[str, str], str] = {
    (NEW, "initialize"): READY,
    (NEW, "shutdown"): CLOSED,
    (READY, "check"): READY,
    (READY, "start"): RUNNING,
    (READY, "shutdown"): CLOSED,
    (RUNNING, "poll"): RUNNING,
    (RUNNING, "take"): RUNNING,
    (RUNNING, "drain"): RUNNING,
    (RUNNING, "resolve"): RUNNING,
    (RUNNING, "shutdown"): CLOSED,
    (FAILED, "poll"): FAILED,
    (FAILED, "take"): FAILED,
    (FAILED, "drain"): FAILED,
    (FAILED, "resolve"): FAILED,
    (FAILED, "shutdown"): CLOSED,
}

# Where a message leaves the state whose answer is that the run failed: that error stays the answer.
ON_FAILURE: dict[tuple[str, str], str] = {
    (READY, "start"): FAILED,
    (RUNNING, "poll"): FAILED,
    (RUNNING, "take"): FAILED,
    (RUNNING, "drain"): FAILED,
}


def why_not(state: str, method: str) -> str | None:
    """Explain why `method` is not allowed in `state`; None when it is."""
    if (state, method) in TRANSITIONS:
        return None
    if state == CLOSED:
        return f"{method} after shutdown"
    if state == NEW:
        return f"{method} before initialize"
    if method == "initialize":
        return "initialize was already answered"
    if state == READY:
        return f"{method} before start"
    return f"{method} after start: a child runs one workflow"
