"""A run that was ended is gone on with: what was answered is not asked again, and the result is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from flowcage.host import AgentCall
from flowcage.host.outcome.report import Outcome

from ..host.children import Launcher
from .lives import Agents, first_life, next_life, options


@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_run_that_is_cancelled_again_and_again_ends_as_one_that_is_not(tmp_path: Path, every: int) -> None:
    launcher, agents = Launcher(), Agents()
    scope, calls, lives = trio.CancelScope(), 0, 0

    def on_call(_call: AgentCall) -> None:
        nonlocal calls
        calls += 1
        if calls % every == 0 and lives < 12:
            scope.cancel()

    agents.on_call = on_call
    given = options(agents, launcher=launcher)

    async def main() -> Outcome:
        nonlocal scope, lives
        outcome: Outcome | None = None
        while outcome is None:
            with trio.CancelScope() as scope:
                if lives == 0:
                    outcome = await first_life(tmp_path / "runs.db", given)
                else:
                    outcome = await next_life(tmp_path / "runs.db", given)
            lives += 1
        return outcome

    outcome = trio.run(main)
    launcher.assert_nothing_left()
    assert lives > 1
    result = outcome.result
    assert isinstance(result, dict)
    assert result["all"] == ["<a>", "<b>", "<c>", None, "<e>"]
    assert result["kids"] == [
        [*(f"<{name}{n}>" for n in (1, 2, 3)), f"<{name} of <{name}1>,<{name}2>,<{name}3>>", True]
        for name in "xy"
    ]
    assert result["spent"] == sum(agents.tokens.values()) - 1  # the last call came after it was read
    report = outcome.report
    assert report.usage.tokens == sum(agents.tokens.values())
    assert (report.census.completed, report.census.failed) == (len(agents.answered) - 1, 1)
    assert report.logs == (("spent", report.logs[0][1]),)
    assert report.phases == ("one",)
    assert agents.interrupted  # calls that were at work are asked again, and are told so
