"""The cases of every language, in this one: with `flowcage.Host`."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from .cases_life import Life, host_of
from .cases_read import Case, all_cases, require_known

CASES = dict(all_cases())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_host_does_what_the_case_expects(case: Case, tmp_path: Path) -> None:
    trio.run(gone_through, case, tmp_path)


EXPECT = {"verdict": "completed"}
UNKNOWN: tuple[Case, ...] = (
    {"expect": EXPECT, "agents": []},
    {"expect": {"results": 1}},
    {"expect": EXPECT, "agent": [{"waits": True}]},
    {"expect": EXPECT, "agent": [{"fails": {"code": 1}}]},
    {"expect": EXPECT, "ask": [{"usage": {"inputs": 1}}]},
    {"expect": EXPECT, "answers": [{"id": "1"}]},
    {"expect": EXPECT, "agent": [{"progress": [{"value": 1}]}]},
    {"expect": EXPECT, "resume": {"expect": EXPECT, "source": []}},
)


@pytest.mark.parametrize("wrong", UNKNOWN, ids=str)
def test_a_member_that_this_driver_does_not_know_is_refused(wrong: Case) -> None:
    with pytest.raises(AssertionError, match="does not know"):
        require_known(wrong)


async def gone_through(case: Case, folder: Path) -> None:
    """Hold the run of a case to what it expects, and also what comes where the run is gone on with."""
    async with host_of(case, folder) as host:
        await Life(host, case).begin()
        if "resume" in case:
            await Life(host, {**case["resume"], "store": True}).go_on()
