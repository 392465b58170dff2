"""The state table: which message is allowed in which state, for both sides.

A key is (state, method); its value is the state after the child has carried the message out. A pair that is
not in the table is error `invalid_state`. The diagram in docs/protocol.md is made from the table.
"""

from __future__ import annotations

NEW = "new"  # the cage is not closed; no source is accepted
READY = "ready"  # the cage is closed; no workflow was started
RUNNING = "running"  # a workflow was started; it may have completed since
FAILED = "failed"  # the run has failed; its error is repeated
CLOSED = "closed"  # shutdown was answered

TRANSITIONS: dict[tuple[str, str], str] = {
    (NEW, "initialize"): READY,
    (NEW, "shutdown"): CLOSED,
    (READY, "check"): READY,
    (READY, "imports"): READY,
    (READY, "start"): RUNNING,
    (READY, "run"): RUNNING,
    (READY, "shutdown"): CLOSED,
    (RUNNING, "poll"): RUNNING,
    (RUNNING, "take"): RUNNING,
    (RUNNING, "drain"): RUNNING,
    (RUNNING, "resolve"): RUNNING,
    (RUNNING, "advance"): RUNNING,
    (RUNNING, "replay"): RUNNING,
    (RUNNING, "sites"): RUNNING,
    (RUNNING, "shutdown"): CLOSED,
    (FAILED, "poll"): FAILED,
    (FAILED, "take"): FAILED,
    (FAILED, "drain"): FAILED,
    (FAILED, "resolve"): FAILED,
    (FAILED, "advance"): FAILED,
    (FAILED, "replay"): FAILED,
    (FAILED, "sites"): FAILED,
    (FAILED, "shutdown"): CLOSED,
}

# A failure of theirs is none of a run.
BEFORE_A_RUN = ("check", "imports")

# The state after a message that was answered with a failure of the run; where a pair is missing, it does not
# change.
ON_FAILURE: dict[tuple[str, str], str] = {
    (READY, "start"): FAILED,
    (READY, "run"): FAILED,
    (RUNNING, "poll"): FAILED,
    (RUNNING, "take"): FAILED,
    (RUNNING, "drain"): FAILED,
    (RUNNING, "advance"): FAILED,
    (RUNNING, "replay"): FAILED,
    (RUNNING, "sites"): FAILED,
}


def why_not(state: str, method: str) -> str | None:
    """Why `method` is not allowed in `state`; None where it is."""
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
