"""A host looks at the runs of its store and ends them, for one tenant; a run without a host is kept, too."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from flowcage import (
    AgentAnswer,
    AgentCall,
    Host,
    RunOptions,
    SqliteStore,
    Store,
    run_workflow,
    run_workflow_blocking,
)
from flowcage.errors import RunHasEnded, UnknownRun, WorkflowFailed
from flowcage.host.durable.errors import StoreFailed
from flowcage.protocol.messages import MISSING

from ..durable.places import begun

PAGE = (Path(__file__).parents[2] / "docs" / "durable.md").read_text()


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    store = await trio.to_thread.run_sync(SqliteStore.open, path)
    try:
        yield store
    finally:
        await store.aclose()


async def answer(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(f"<{call.prompt}>", tokens=2, cost_usd=0.5)


def test_a_host_lists_and_gets_the_runs_of_one_tenant(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            opened(tmp_path / "runs.db") as store,
            Host(store=store, options=RunOptions(agent=answer)) as host,
        ):
            await host.run("export default agent('hello')", tenant="t", run_id="good")
            with pytest.raises(WorkflowFailed):
                await host.run("throw new Error('no')\nreturn 1", tenant="t", run_id="bad")
            await host.run("export default 1", tenant="u", run_id="other")

            assert [each.run_id for each in await host.runs(tenant="t")] == ["bad", "good"]
            assert [each.run_id for each in await host.runs(tenant="u")] == ["other"]
            assert await host.runs() == []
            (bad,) = await host.runs(tenant="t", verdicts=["failed"])
            assert bad.run_id == "bad"
            assert await host.runs(tenant="t", states=["running"]) == []
            assert [each.run_id for each in await host.runs(tenant="t", limit=1)] == ["bad"]
            assert [each.run_id for each in await host.runs(tenant="t", before=bad)] == ["good"]

            good = await host.get("good", tenant="t")
            assert (good.result, good.error, good.tokens, good.cost_usd) == ("<hello>", None, 2, 0.5)
            assert (good.census.completed, good.workflows) == (1, {"": "workflow.js"})
            assert [(call.prompt, call.value) for call in good.calls] == [("hello", "<hello>")]
            failed = await host.get("bad", tenant="t")
            assert failed.result is MISSING
            assert isinstance(failed.error, dict)
            assert "no" in str(failed.error["message"])
            for run_id, tenant in (("good", "u"), ("go", "t"), ("", "t"), ("a/b", "t")):
                with pytest.raises(UnknownRun):
                    await host.get(run_id, tenant=tenant)

    trio.run(main)


def test_a_host_ends_what_nobody_has_and_asks_whoever_has_a_run(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "runs.db") as store:
            await begun(store, "left", tenant="t")
        async with opened(tmp_path / "runs.db") as store, opened(tmp_path / "runs.db") as another:
            await begun(another, "live", tenant="t")
            async with Host(store=store) as host:
                for tenant in ("u", ""):
                    with pytest.raises(UnknownRun):
                        await host.cancel("left", tenant=tenant)
                assert await host.cancel("left", "why", tenant="t") == "ended"
                assert (await host.get("left", tenant="t")).error == {
                    "kind": "cancelled",
                    "message": "the run was cancelled: why",
                }
                with pytest.raises(RunHasEnded):
                    await host.cancel("left", tenant="t")
                assert await host.cancel("live", tenant="t") == "asked"
                assert (await another.get("live")).cancel is not None

    trio.run(main)


def test_a_host_without_a_store_keeps_no_runs() -> None:
    async def main() -> None:
        async with Host() as host:
            for call in (host.runs(), host.get("r"), host.cancel("r"), host.resume("r")):
                with pytest.raises(ValueError, match=r"give it one, Host\(store=…\)"):
                    await call

    trio.run(main)


def test_one_run_is_kept_without_a_host(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "runs.db") as store:
            kept: Store = store
            outcome = await run_workflow("export default args", args={"a": 1}, store=kept)
            assert outcome.result == {"a": 1}
            record = await store.load(outcome.report.run_id)
            assert record.ending is not None
            assert (record.ending.result, record.summary.verdict) == ({"a": 1}, "completed")

    trio.run(main)
    store = SqliteStore.open(str(tmp_path / "runs.db"))
    try:
        outcome = run_workflow_blocking("export default 2", store=store)
        with pytest.raises(WorkflowFailed):
            run_workflow_blocking("throw 1\nreturn 2", store=store)
    finally:
        store.close()
    with pytest.raises(StoreFailed):
        run_workflow_blocking("export default 2", store=store)
    store = SqliteStore.open(tmp_path / "runs.db", read_only=True)
    try:
        runs = trio.run(store.runs)
    finally:
        store.close()
    assert [each.verdict for each in runs] == ["failed", "completed", "completed"]
    assert runs[1].run_id == outcome.report.run_id


def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    programs = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (program,) = [each for each in programs if each.startswith("import trio")]  # the others are excerpts
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (done.stderr, done.stdout) == ("", "greeting ended completed\nHELLO 3 ['hello']\n")


def test_without_psycopg_the_name_is_there_and_opening_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError('no pq wrapper available')")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from flowcage import *\n"
        "try: PostgresStore.open('host=nowhere')\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout == (
        "PostgresStore needs psycopg 3; install flowcage[postgres] (no pq wrapper available)\n"
    ), done.stderr
