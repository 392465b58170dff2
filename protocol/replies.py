"""Which replies can be true: what a child may answer to a message that its host was right to send.

The tables beside the one of states; those of the docs are made from them. Who believes anything else can be
told a lie.
"""

from __future__ import annotations

from enum import Enum

from flowcage.protocol import errors

# By method, the kinds of error that may answer it. A host that keeps the contract is refused only where the
# child may not fit it: in the first message, and in a method that 1.0 did not always have.
MAY_FAIL: dict[str, frozenset[str]] = {
    "initialize": frozenset(
        {
            errors.ISOLATION_UNAVAILABLE,
            errors.PROTOCOL_VERSION,
            errors.INVALID_REQUEST,
            errors.METHOD_NOT_FOUND,
            errors.INVALID_PARAMS,
            errors.INVALID_STATE,
            errors.MESSAGE_TOO_LARGE,
            errors.INTERNAL,
        }
    ),
    "check": errors.RUN_FAILURES | {errors.METHOD_NOT_FOUND},
    "start": errors.RUN_FAILURES,
    "poll": errors.RUN_FAILURES,
    "take": errors.RUN_FAILURES,
    "drain": errors.RUN_FAILURES,
    # It runs nothing; but the answer that it carries may be more than the child has memory for.
    "resolve": frozenset({errors.MEMORY}),
    "shutdown": frozenset(),
}


class Known(Enum):
    """Where the host knows a run to stand when a drain is answered."""

    IDLE = "nothing is outstanding"
    WAITING = "requests are outstanding, those of this reply included"
    FAILING = "the last drain said `more`"


class Said(Enum):
    """What a drain says of the run."""

    COMPLETE = "`complete`"
    PENDING = "`pending`"
    STALLED = "`stalled`"
    MORE = "`more`"
    CONTRADICTORY = "more than one of these"


# What is not here may be said.
CONTRADICTIONS: dict[tuple[Known, Said], str] = {
    (Known.IDLE, Said.PENDING): "waits, but nothing is outstanding that it could wait for",
    (Known.WAITING, Said.STALLED): "can never finish, while requests of it are outstanding",
    **{
        (Known.FAILING, said): "has not failed after all: it said more, and the failure must follow"
        for said in Said
    },
    **{(known, Said.CONTRADICTORY): "is in two states at once" for known in (Known.IDLE, Known.WAITING)},
}
