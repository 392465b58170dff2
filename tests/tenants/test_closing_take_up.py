"""A host that takes up runs leaves its own when it closes, and does not take them up again."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing

from flowcage import AgentAnswer, AgentCall, SqliteStore
from flowcage.host.agents.mock.echo import echo
from flowcage.host.durable.records import RunRecord

from ..resume.sleepers import Clock, host, opened

RUNS = 20


def test_a_closing_host_takes_up_nothing_of_what_it_leaves(tmp_path: Path) -> None:
    async def main() -> None:
        asked: list[str] = []
        all_asked = trio.Event()

        async def blocks(call: AgentCall) -> AgentAnswer:
            asked.append(call.prompt)
            if len(asked) == RUNS:
                all_asked.set()
            return await trio.sleep_forever()

        async with opened(tmp_path, Clock()) as store:
            async with host(store, blocks, takes_up=True) as made:
                for _ in range(RUNS):
                    await made.start("export default agent('x')")
                await all_asked.wait()
            left = await store.runs()
            assert [(each.state, each.verdict) for each in left] == [("queued", None)] * RUNS
        assert len(asked) == RUNS

    trio.run(main)


class _Held(SqliteStore):
    """A store that is read to the end, whoever is cancelled meanwhile."""

    loading: trio.Event
    go_on: trio.Event

    async def load(self, run_id: str) -> RunRecord:
        with trio.CancelScope(shield=True):
            self.loading.set()
            await self.go_on.wait()
            record = await super().load(run_id)
        return record  # noqa: RET504 - the block may swallow, for mypy


def test_a_closing_worker_gives_back_at_once_what_it_is_taking_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        store = cast(_Held, _Held.open(tmp_path / "runs.db"))
        store.loading, store.go_on = trio.Event(), trio.Event()
        async with trio.open_nursery() as nursery:

            async def let_go_on() -> None:
                await trio.testing.wait_all_tasks_blocked()
                store.go_on.set()

            async with host(store, echo, worker=True) as made:
                await made.submit("export default 1", run_id="r")
                await store.loading.wait()
                nursery.start_soon(let_go_on)
        summary = await store.get("r")
        assert (summary.state, summary.held) == ("queued", "")
        await store.aclose()

    trio.run(main)
    assert caplog.messages == []
