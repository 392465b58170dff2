"""A server of one tenant: whose runs are there, and what it begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from mcp.shared.exceptions import MCPError

from flowcage.host.durable.sqlite.store import SqliteStore

from ..durable.places import begun
from ..e2e import kept
from .client import OF_CLIENT, Asking, end_all, with_client

pytestmark = OF_CLIENT


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end_all(tmp_path / "runs.db")


def test_runs_of_another_tenant_are_as_runs_that_there_are_not(folder: Path) -> None:
    async def two(opened: SqliteStore) -> None:
        await begun(opened, "ours", tenant="a")
        await begun(opened, "theirs", tenant="b")

    kept.with_store(folder / "runs.db", two)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("get", {}),
        ("get", {"call": "1"}),
        ("wait", {"seconds": 0}),
        ("cancel", {}),
        ("resume", {}),
        ("resume", {"way": "resume"}),
        ("resume", {"way": "resume", "start": True}),
        ("answer", {"request": "1", "value": 1}),
    ]

    async def work(asking: Asking) -> None:
        assert [each["id"] for each in (await asking.ok("list_runs"))["runs"]] == ["ours"]
        listed = await asking.client.list_resources()
        assert {each.uri for each in listed.resources} == {
            "flowcage://runs/ours",
            "flowcage://runs/ours/report",
        }
        for run_id in ("ours", "@last"):  # theirs is newer
            assert (await asking.ok("get", run=run_id))["run"]["id"] == "ours"
        for tool, given in calls:
            there = await asking.refused(tool, run="theirs", **given)
            none = await asking.refused(tool, run="nobody", **given)
            assert there.replace("theirs", "nobody") == none, tool
        for part in ("", "/report", "/result", "/calls/1"):
            with pytest.raises(MCPError) as there_is:
                await asking.read(f"flowcage://runs/theirs{part}")
            with pytest.raises(MCPError) as there_is_none:
                await asking.read(f"flowcage://runs/nobody{part}")
            assert str(there_is.value).replace("theirs", "nobody") == str(there_is_none.value)

    with_client(folder, work, "--tenant=a", "--agent=mock")


def test_a_server_of_one_tenant_begins_no_run_of_nobody(folder: Path) -> None:
    async def work(asking: Asking) -> None:
        said = await asking.refused("run", source="return 1")
        assert "shows the runs of tenant 'a'" in said
        assert (await asking.ok("plan", source="return 1"))["calls"] == []

    with_client(folder, work, "--tenant=a")
    assert kept.ids(folder / "runs.db") == []


def test_runs_of_all_tenants_count_as_those_that_go_on(folder: Path) -> None:
    async def work(asking: Asking) -> None:
        assert (await asking.ok("list_runs"))["runs"] == []
        assert "1 runs go on or sleep already" in await asking.refused("run", source="return 1")

    async def main() -> None:
        async with kept.opened(folder / "runs.db") as opened:
            await begun(opened, "theirs", tenant="a")
            await trio.to_thread.run_sync(lambda: with_client(folder, work, "--tenant=", "--max-runs=1"))

    trio.run(main)
