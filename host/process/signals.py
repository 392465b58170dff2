"""What a signal is called."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """Its name, such as ``SIGKILL``; a real-time signal has none of its own."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
