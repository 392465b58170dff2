"""The page of a run that another process carries out, and the page that a host gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import Host, RunOptions, SqliteStore
from flowcage.errors import UnknownRun
from flowcage.host.page.feed import deltas, fold_of
from flowcage.host.page.fold import PageFold

from ..e2e import kept
from ..e2e.command import DEADLINE
from ..e2e.test_looking_at_runs import Run
from ..resume.kept_runs import record_of
from .pages import merged, page_of
from .test_fold import answer


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.kill()


async def followed(store: SqliteStore, run_id: str, on_delta: Any) -> dict[str, Any]:
    fold = await fold_of(store, run_id)
    page = fold.whole()
    async for delta in deltas(store, fold):
        page = merged(page, delta)
        on_delta(page)
    return page


def test_the_page_of_another_process_is_followed_to_the_end(run: Run) -> None:
    (run_id,) = kept.ids(run.store)
    states: list[str] = []

    def on_delta(page: dict[str, Any]) -> None:
        states.append(page["run"]["state"])

    async def main() -> dict[str, Any]:
        async with kept.opened(run.store) as store:
            with trio.fail_after(DEADLINE):
                before = (await fold_of(store, run_id)).whole()
                assert before["run"]["state"] == "running"
                run.let_go()
                return await followed(store, run_id, on_delta)

    page = trio.run(main)

    whole = page_of(record_of(run.store, run_id))
    assert {name: page[name] for name in page if name != "asOf"} == {
        name: whole[name] for name in whole if name != "asOf"
    }
    assert states[-1] == "ended"


def test_the_page_of_a_process_that_is_killed_says_so(run: Run) -> None:
    (run_id,) = kept.ids(run.store)

    async def main() -> dict[str, Any]:
        async with kept.opened(run.store) as store:
            run.process.kill()
            with trio.fail_after(DEADLINE):
                return await followed(store, run_id, lambda _: None)

    page = trio.run(main)

    assert (page["run"]["state"], page["run"]["verdict"]) == ("abandoned", None)


def test_a_workflow_that_begins_later_comes_with_its_source(tmp_path: Path) -> None:
    """The store tells of a child workflow by its entry, and has its source beside."""
    (tmp_path / "kid.js").write_text("return await agent('of the kid')")
    record = page_record(tmp_path)
    opened = next(each.seq for each in record.entries if getattr(each.input, "path", "") == "1")
    early = record._replace(
        workflows={"": record.workflows[""]},
        entries=record.entries[:opened],
        ending=None,
        summary=record.summary._replace(state="running", verdict=None),
    )
    fold = PageFold(early)
    fold.whole()

    new = record.entries[opened:]
    assert fold.lacks(new)
    delta = fold.take(new, record.summary, ending=record.ending, workflows=record.workflows)
    assert [each["source"] for each in delta["workflows"] if each["path"] == "1"] == [
        "return await agent('of the kid')"
    ]
    assert not fold.lacks(new)


def test_a_workflow_whose_source_is_kept_later_gets_it_then(tmp_path: Path) -> None:
    """It is opened before its child is started, and its source is kept after that."""
    (tmp_path / "kid.js").write_text("return await agent('of the kid')")
    record = page_record(tmp_path)
    opened = next(each.seq for each in record.entries if getattr(each.input, "path", "") == "1")
    going = record.summary._replace(state="running", verdict=None)
    root = {"": record.workflows[""]}
    fold = PageFold(
        record._replace(workflows=root, entries=record.entries[:opened], ending=None, summary=going)
    )
    fold.whole()
    (told,) = fold.take(record.entries[opened : opened + 1], going, workflows=root)["workflows"]
    assert (told["path"], told["source"]) == ("1", None)

    rest = record.entries[opened + 1 :]
    assert fold.lacks(rest)
    (told,) = fold.take(rest[:1], going, workflows=record.workflows)["workflows"]
    assert (told["path"], told["source"]) == ("1", "return await agent('of the kid')")
    assert not fold.lacks(rest)


def page_record(folder: Path) -> Any:
    (folder / "w.js").write_text("return await workflow('kid')")
    done = kept.on(folder / "runs.db", "run", folder / "w.js", "--agent", "mock")
    assert done.status == 0, done.stderr
    (run_id,) = kept.ids(folder / "runs.db")
    return record_of(folder / "runs.db", run_id)


def test_a_host_gives_the_page_of_its_own_tenants_runs(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            kept.opened(tmp_path / "runs.db") as store,
            Host(store=store, options=RunOptions(agent=answer)) as host,
        ):
            source = "export default await agent('p'.repeat(100_000))"
            await host.run(source, tenant="t", run_id="one")

            page = await host.page("one", tenant="t")
            assert (page["run"]["id"], page["run"]["tenant"], page["run"]["result"]) == ("one", "t", "yes")
            assert page["calls"][0]["cut"] == {"prompt": 100_000}
            whole = await host.page("one", tenant="t", full=True)
            assert whole["calls"][0]["prompt"] == "p" * 100_000
            assert (await host.report("one", tenant="t")).startswith("<!doctype html>")
            assert (await host.report("one", "md", tenant="t")).startswith("## ")
            async with aclosing(host.page_changes("one", tenant="t")) as changes:
                assert [each["run"]["state"] async for each in changes] == ["ended"]
            with pytest.raises(ValueError, match="form must be one of html, md"):
                await host.report("one", "pdf", tenant="t")
            for tenant in ("u", "default"):
                for call in (host.page, host.report):
                    with pytest.raises(UnknownRun):
                        await call("one", tenant=tenant)

    trio.run(main)
