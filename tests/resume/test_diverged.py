"""A workflow that does something else when it is told the same is not gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume import fold
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.diverged import ReplayDiverged

from ..host.children import Launcher

SOURCE = "await agent('a'); await agent('b'); await agent('c'); await agent('d'); export default 1"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("'a'", "'other'"),
        ("'b'", "'other'"),
        ("'b'", "'b', {label: 'l'}"),
        ("await agent('b');", ""),
        ("await agent('b');", "await agent('b'); agent('more');"),
        ("await agent('b');", "throw Error('no');"),
        ("await agent('b'); await agent('c'); await agent('d');", ""),
        ("await agent('b')", "await SW.extra.sleep(1)"),
    ],
)
def test_a_workflow_that_asks_for_something_else_diverges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was: str, becomes: str
) -> None:
    launcher, asked = Launcher(), []

    async def main() -> None:
        store = SqliteStore.open(tmp_path / "runs.db", durability="relaxed")
        try:
            with trio.CancelScope() as scope:

                async def agent(call: AgentCall) -> AgentAnswer:
                    asked.append(call.prompt)
                    if call.prompt == "d":
                        scope.cancel()
                        await trio.sleep_forever()
                    return AgentAnswer("x")

                options = RunOptions(agent=agent, launcher=launcher)
                kept = await begin(store, "run", SOURCE, "w.js", {}, options)
                await kept.execute(kept.run(options))
            monkeypatch.setattr(fold, "differences", lambda _before: "build 1 and now 2")
            kept = await take_up(store, "run")
            assert was in SOURCE
            kept.begun = kept.begun._replace(source=SOURCE.replace(was, becomes))
            with pytest.raises(
                ReplayDiverged, match=r"; the run was begun with build 1 and now 2$"
            ) as raised:
                await kept.execute(kept.run(options))
            assert [note["kind"] for note in raised.value.report.diagnostics] == ["other_build"]
            summary = await store.get("run")
            assert (summary.state, summary.verdict) == ("diverged", "diverged")
            with pytest.raises(NotResumable, match="has diverged"):
                await take_up(store, "run")
        finally:
            await store.aclose()

    trio.run(main)
    launcher.assert_nothing_left()
    assert asked == ["a", "b", "c", "d"]
