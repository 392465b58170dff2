"""A journal comes before every effect: what it has not kept has no effect, and its failure ends a run."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from flowcage.host import AgentAnswer, AgentCall, RunError, RunOptions
from flowcage.host.durable.errors import StoreFailed
from flowcage.host.run.core.inputs import Answered, Input, Refused, Said
from flowcage.host.run.run import Run
from flowcage.protocol.messages import Json

from ..host.children import Launcher
from ..host.runs import Agent, Inputs

SOURCE = """const all = await parallel(['a', 'b', 'c'].map((n) => () => agent(n)));
export default [all, await agent('d', {schema: {type: 'string'}})];"""


class Slow(Inputs):
    """Keeps what it was given when somebody waits for it, and not before."""

    def __init__(self, fails_after: int | None = None) -> None:
        super().__init__()
        self.kept_inputs = 0
        self._fails_after = fails_after

    async def kept(self) -> None:
        taken = len(self.taken)
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        if self._fails_after is not None and taken > self._fails_after:
            raise StoreFailed("the disk is gone")
        self.kept_inputs = max(self.kept_inputs, taken)

    def kept_of(self, kind: type[Input]) -> int:
        return sum(isinstance(given, kind) for _, given in self.taken[: self.kept_inputs])


def test_no_agent_is_asked_before_what_led_to_it_is_kept() -> None:
    journal, launcher, seen = Slow(), Launcher(), []
    answers = iter(["x", "y", "z", 5, "text"])

    async def agent(call: AgentCall) -> AgentAnswer:
        seen.append((call.prompt, journal.kept_of(Said), journal.kept_of(Answered), journal.kept_of(Refused)))
        return AgentAnswer(next(answers))

    async def main() -> Json:
        run = Run(RunOptions(agent=agent, launcher=launcher), "w.js", journal=journal)
        return (await run.execute(SOURCE, {})).result

    assert trio.run(main) == [["x", "y", "z"], "text"]
    launcher.assert_nothing_left()
    assert [prompt for prompt, *_ in seen] == ["a", "b", "c", "d", "d"]
    assert all(said >= 1 for _, said, _, _ in seen)
    assert seen[3][2] == 3  # the last call came of the three answers
    assert seen[4][3] == 1  # and is made again because of an answer that was refused


@pytest.mark.parametrize("fails_after", [0, 3])
def test_a_journal_that_fails_ends_the_run_and_nothing_is_asked_any_more(fails_after: int) -> None:
    launcher, agent = Launcher(), Agent("x")

    async def main() -> None:
        journal = Slow(fails_after)
        run = Run(RunOptions(agent=agent, launcher=launcher), "w.js", journal=journal)
        await run.execute("await agent('a'); await agent('b'); export default 1", {})

    with pytest.raises(RunError) as caught:
        trio.run(main)
    launcher.assert_nothing_left()
    assert isinstance(caught.value, StoreFailed)
    assert caught.value.report.verdict == "host_fault"
    assert [call.prompt for call in agent.calls] == (["a"] if fails_after else [])


class Groups(Inputs):
    """Has what each flush wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[list[str]] = []

    def flush(self) -> None:
        before = sum(map(len, self.groups))
        if new := [type(given).__name__ for _, given in self.taken[before:]]:
            self.groups.append(new)

    async def kept(self) -> None:
        self.flush()


@pytest.mark.parametrize(
    ("source", "groups"),
    [
        ("export default 1", []),  # all of it is written with its end
        ("await agent('a'); export default 1", [["Opened", "Compiled", "Said"]]),
        (
            "await agent('a'); await agent('b'); export default 1",
            [["Opened", "Compiled", "Said"], ["Answered", "Turn", "Said"]],
        ),
    ],
)
def test_what_something_follows_from_at_once_is_written_with_that(
    source: str, groups: list[list[str]]
) -> None:
    journal, launcher = Groups(), Launcher()

    async def main() -> None:
        run = Run(RunOptions(agent=Agent("x"), launcher=launcher), "w.js", journal=journal)
        await run.execute(source, {})

    trio.run(main, clock=MockClock())
    assert journal.groups == groups
