"""`Host.fork` and `Host.explain_fork`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import Host
from flowcage.host.durable.errors import UnknownRun
from flowcage.host.durable.reuse.terms import NotForkable

from .forks import on_store

SOURCE = "export default [await agent('a ' + args.n), await agent('b')];"


def test_a_host_forks_a_run_of_a_tenant(tmp_path: Path) -> None:
    async def work(forks: Any) -> None:
        async with Host(store=forks.store, options=forks.options()) as host:
            await host.run(SOURCE, tenant="t", run_id="old", args={"n": 1})
            forks.newly_asked()
            found = await host.explain_fork("old", args={"n": 2}, tenant="t")
            assert [each.why for each in found.calls] == ["#1: prompt differs at character 2: '1' -> '2'"]
            assert forks.newly_asked() == []
            outcome = await host.fork("old", args={"n": 2}, tenant="t", new_run_id="new")
            assert forks.newly_asked() == ["a 2"]
            assert (outcome.run_id, outcome.census.reused) == ("new", 1)
            edited = SOURCE.replace("'b'", "'c'")
            await host.fork("old", edited, tenant="t", answers={"1": "other"})
            assert forks.newly_asked() == ["c"]
            with pytest.raises(UnknownRun):
                await host.fork("old", tenant="another")
            with pytest.raises(NotForkable):
                await host.fork("old", tenant="t", at=77)
            with pytest.raises(TypeError):
                await host.fork("old", tenant="t", at="x")  # type: ignore[arg-type]
            summaries = await forks.store.runs()
            assert {each.forked_from for each in summaries} == {None, "old"}
            assert len(summaries) == 3

    on_store(tmp_path, work, in_host=True)


def test_a_host_without_a_store_has_nothing_to_fork() -> None:
    async def main() -> None:
        async with Host() as host:
            with pytest.raises(ValueError, match="without a store"):
                await host.fork("old")

    trio.run(main)
