"""What is better not broken off has some time more, and not for ever."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from flowcage.host.outcome.errors import FlowcageError
from flowcage.host.resume.giving_back import LAST_COMMIT_SECONDS, to_its_end


def ended_at(seconds: float) -> tuple[float, list[str]]:
    """Cancel work of so many seconds after one: when that has ended, and what it resulted in."""
    results: list[str] = []

    async def work() -> str:
        await trio.sleep(seconds)
        return "done"

    async def main() -> float:
        began = trio.current_time()
        with trio.move_on_after(1):
            results.append(await to_its_end(work))
        return trio.current_time() - began

    return round(trio.run(main, clock=MockClock(autojump_threshold=0)), 3), results


@pytest.mark.parametrize("seconds", [0, 0.5, 1.5, LAST_COMMIT_SECONDS])
def test_what_ends_in_time_has_its_result_though_it_was_cancelled(seconds: float) -> None:
    assert ended_at(seconds) == (seconds, ["done"])


def test_what_takes_longer_is_cancelled() -> None:
    assert ended_at(1000) == (1 + LAST_COMMIT_SECONDS, [])


def test_an_error_is_raised_as_it_is() -> None:
    async def work() -> None:
        await trio.lowlevel.checkpoint()
        raise FlowcageError("x")

    with pytest.raises(FlowcageError, match="x"):
        trio.run(to_its_end, work)
