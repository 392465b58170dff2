"""Which replies are possible: what a child may answer to a message that its host was allowed to send.

Who uses it: `host/process/replies.py`, which judges every reply by these two tables, and
tools/protocol_page.py, which puts them into docs/protocol.md (``make generated``).

A reply can have the right shape and be false. Once a child has got source, a workflow may have taken it over,
and what it says must be something that a child may say in that state. Otherwise it could claim a state that
the host acts on: `stalled` while requests are outstanding, or an error kind that is reported as a fault of
the host.

`MAY_FAIL` has, by method, the kinds of error that may answer it. The host sends only what the contract
allows, so after `initialize` a refused message breaks the contract; `check` and `imports` alone may be
unknown, to an older child.

`CONTRADICTIONS` has pairs of what the host knows of the run (`Known`) and what a drain reports (`Said`) that
cannot both be true. The host counts outstanding requests with those of the reply itself before it looks up
the pair: in the other order a drain that hands out the first request would be taken for one that waits for
nothing. A pair that is missing is possible. `COMPLETE` is possible while requests are outstanding, since a
workflow need not await them.

`tests/process/test_replies.py` tries every method with every kind of error, and every state with every
report.
"""

from __future__ import annotations

from enum import Enum

from flowcage.protocol import errors

# By method, the kinds of error that may answer it. A host that keeps the contract can be refused only by a
# child that does not fit it: in the first message, and in a method that was added to 1.0 later.
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
    "imports": errors.RUN_FAILURES | {errors.METHOD_NOT_FOUND},
    "start": errors.RUN_FAILURES,
    "run": errors.RUN_FAILURES,
    "poll": errors.RUN_FAILURES,
    "take": errors.RUN_FAILURES,
    "drain": errors.RUN_FAILURES,
    # It runs nothing, but the child may lack the memory for the value that it carries.
    "resolve": frozenset({errors.MEMORY}),
    "advance": errors.RUN_FAILURES,
    "replay": errors.RUN_FAILURES,
    "sites": errors.RUN_FAILURES,
    "shutdown": frozenset(),
}


class Known(Enum):
    """The state of a run, as the host knows it when a drain is answered."""

    IDLE = "nothing is outstanding"
    WAITING = "requests are outstanding, those of this reply included"
    FAILING = "the last drain said `more`"


class Said(Enum):
    """The state of the run, as a drain reports it."""

    COMPLETE = "`complete`"
    PENDING = "`pending`"
    STALLED = "`stalled`"
    MORE = "`more`"
    CONTRADICTORY = "more than one of these"


# By what the host knows and what a drain reports: why both cannot be true. Pairs that are missing are
# possible.
CONTRADICTIONS: dict[tuple[Known, Said], str] = {
    (Known.IDLE, Said.PENDING): "waits, but nothing is outstanding that it could wait for",
    (Known.WAITING, Said.STALLED): "can never finish, while requests of it are outstanding",
    **{
        (Known.FAILING, said): "has not failed after all: it said more, and the failure must follow"
        for said in Said
    },
    **{(known, Said.CONTRADICTORY): "is in two states at once" for known in (Known.IDLE, Known.WAITING)},
}
