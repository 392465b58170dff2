"""Names of runs, which sort by the time at which the run was begun."""

from __future__ import annotations

import secrets
import time
import uuid

_NANOSECONDS_PER_MILLISECOND = 1_000_000


def new_run_id() -> str:
    """A UUID of version 7 (RFC 9562, sections 5.7 and 6.2): milliseconds, 4,096ths of one, 62 random bits."""
    milliseconds, rest = divmod(time.time_ns(), _NANOSECONDS_PER_MILLISECOND)
    fraction = (rest << 12) // _NANOSECONDS_PER_MILLISECOND
    head = (milliseconds << 80) | (7 << 76) | (fraction << 64) | (0b10 << 62)
    return str(uuid.UUID(int=head | secrets.randbits(62)))
