"""A host that takes up runs leaves its own when it closes, and does not take them up again."""

from __future__ import annotations

from pathlib import Path

import trio

from flowcage import AgentAnswer, AgentCall

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
