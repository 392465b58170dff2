"""A host with a store keeps its runs, and another host goes on with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from flowcage import Host
from flowcage.host.durable.errors import UnknownRun
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.refusals import NotResumable

from .lives import SOURCE, Agents, options


def test_a_host_goes_on_with_what_another_has_left(tmp_path: Path) -> None:
    agents, calls = Agents(), 0
    given = options(agents)

    async def first() -> None:
        store = SqliteStore.open(tmp_path / "runs.db")
        try:
            with trio.CancelScope() as scope:

                def on_call(_call: object) -> None:
                    nonlocal calls
                    calls += 1
                    if calls == 8:
                        scope.cancel()

                agents.on_call = on_call
                async with Host(store=store, options=given) as host:
                    await host.run(SOURCE, tenant="t", run_id="run")
        finally:
            await store.aclose()

    async def second() -> Outcome:
        store = SqliteStore.open(tmp_path / "runs.db")
        try:
            async with Host(store=store, options=given) as host:
                with pytest.raises(UnknownRun):
                    await host.resume("run", tenant="another")
                with pytest.raises(UnknownRun):
                    await host.resume("nobody", tenant="t")
                outcome = await host.resume("run", tenant="t")
                with pytest.raises(NotResumable, match="has completed"):
                    await host.resume("run", tenant="t")
            assert (await store.get("run")).verdict == "completed"
            return outcome
        finally:
            await store.aclose()

    trio.run(first)
    assert calls == 8
    outcome = trio.run(second)
    assert isinstance(outcome.result, dict)
    assert len(outcome.result["kids"]) == 2
    assert outcome.report.usage.tokens == sum(agents.tokens.values())
    assert outcome.report.tenant == "t"
