"""What cannot be kept of a run, whatever the store has: databases have other ideas of a text than Python."""

from __future__ import annotations

import re

from flowcage.host.durable.records import NewRun
from flowcage.host.durable.sql.schema import escaped

_RUN_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_LONGEST_POOL = 256  # news have it
# What stands in one row of an index: Postgres has room for 2,704 bytes there, with a mark and an id.
_MOST_OF_NAMES = 2000
_MOST_PRIORITY = 1_000_000


def may_be_an_id(text: str) -> bool:
    """Whether a run could have this id."""
    return _RUN_ID.fullmatch(text) is not None


def why_not(run: NewRun) -> str | None:
    """Why a run cannot be kept; None where it can."""
    if not may_be_an_id(run.run_id):
        return f"the id of a run must be 1 to 100 of A-Z, a-z, 0-9, '.', '_' and '-', not {run.run_id!r}"
    if run.pool is not None and len(run.pool) > _LONGEST_POOL:
        return f"the name of a pool has at most {_LONGEST_POOL} characters, not {len(run.pool)}"
    if not -_MOST_PRIORITY <= run.priority <= _MOST_PRIORITY:
        return f"a priority is from -{_MOST_PRIORITY} to {_MOST_PRIORITY}, not {run.priority}"
    size = sum(len(escaped(each or "")) for each in (run.tenant, run.start_key, run.pool))
    if size > _MOST_OF_NAMES:
        return (
            f"tenant, key and pool have {size:,} bytes as they are stored, of at most {_MOST_OF_NAMES:,}: "
            "each character beyond ASCII has 6 or 12"
        )
    return None
