"""Names of signals."""

from __future__ import annotations

import signal
from functools import cache


@cache
def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; ``signal 40`` for a real-time signal, which has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
