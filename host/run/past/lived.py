"""The CPU of a kept run's lives: written in its log, and held together to the limit cpuSeconds.

A replay repeats what earlier lives have used, so it counts for nothing; a life that is killed has told of all
but the last second or so.
"""

from __future__ import annotations

from collections.abc import Callable

from flowcage.host.process.allowance import Allowance
from flowcage.host.run.core.inputs import Input, Lived

# What is told while a life goes on; the rest is at its end.
TOLD_SECONDS = 1.0


def tell_of_cpu(allowance: Allowance, feed: Callable[[Input], None], least: float = 0.0) -> None:
    """Tell what this life has used since it was told last, if that is more than `least`."""
    seconds = allowance.untold_cpu_seconds
    if seconds > least:
        allowance.told_cpu_seconds += seconds
        feed(Lived(round(seconds, 6)))
