"""Times are told to the microsecond: sums of binary fractions otherwise end in noise."""

from __future__ import annotations

import pytest

from flowcage.host.outcome.measured import Ended
from flowcage.host.outcome.report import Report
from flowcage.host.outcome.usage import Usage
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.tenants.statistics import RunCounts
from flowcage.host.tenants.tenant import Counts

NOISE = 0.1 + 0.2


@pytest.mark.parametrize("times", [3, 11])
def test_sums_of_times_have_no_noise(times: int) -> None:
    counts, tally = RunCounts(), Counts()
    for _ in range(times):
        usage = Usage(wall_seconds=0.1, user_cpu_seconds=0.1, system_cpu_seconds=0.2)
        counts.add(Report("id", Verdict.COMPLETED, usage))
        tally.cpu_seconds += 0.1
        tally.waited_seconds += 0.1
    totals = counts.snapshot()
    assert (totals.wall_seconds, totals.cpu_seconds) == (times / 10, times * 3 / 10)
    assert (tally.snapshot().cpu_seconds, tally.snapshot().waited_seconds) == (times / 10, times / 10)


def test_the_cpu_of_a_child_has_no_noise() -> None:
    assert NOISE != 0.3
    assert Ended(None, 0, 0.1, 0.2, 0).cpu_seconds == 0.3
