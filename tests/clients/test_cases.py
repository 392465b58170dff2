"""The cases of every language, in this one: with `flowcage.Host`."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from .cases_life import Life, host_of
from .cases_read import Case, all_cases

CASES = dict(all_cases())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_host_does_what_the_case_expects(case: Case, tmp_path: Path) -> None:
    trio.run(gone_through, case, tmp_path)


async def gone_through(case: Case, folder: Path) -> None:
    """Hold the run of a case to what it expects, and also what comes where the run is gone on with."""
    async with host_of(case, folder) as host:
        await Life(host, case).begin()
        if "resume" in case:
            await Life(host, {**case["resume"], "store": True}).go_on()
