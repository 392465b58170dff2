"""``flowcage cancel``, ``rm``, ``prune``, ``export`` and ``import``."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import trio

from flowcage.host.durable.errors import Fenced
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.run.core.inputs import Turn

from ..durable.places import begun, new, written
from . import kept
from .command import DEADLINE, flowcage
from .kept import on

COMMANDS = {
    "cancel": ("cancel", "@last"),
    "rm": ("rm", "@last"),
    "prune": ("prune", "--older-than", "1d"),
    "prune, dry": ("prune", "--older-than", "1d", "--dry-run"),
    "export": ("export", "@last", "out.db"),
    "show": ("show", "@last"),
    "result": ("result", "@last"),
}
EACH = pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


# ---- no place for a store --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("/proc/x/runs.db", "/proc/x/runs.db cannot be made: No such file or directory; give another path"),
        ("{file}/runs.db", "/file/runs.db cannot be made: Not a directory; give another path"),
        ("{folder}", " is no file; give another path"),
        ("/dev/null", "/dev/null is no file; give another path"),
        ("{folder}/" + "n" * 300, "cannot be made: File name too long; give another path"),
    ],
)
def test_a_path_that_can_be_no_store_is_refused_by_its_name(tmp_path: Path, place: str, why: str) -> None:
    file, workflow = tmp_path / "file", tmp_path / "w.js"
    file.touch()
    workflow.write_text("export default 1")
    where = place.format(file=file, folder=tmp_path)

    refused = flowcage("run", str(workflow), "--store", where)
    assert (refused.status, refused.stdout) == (2, "")
    assert refused.stderr.endswith(f"{why}\n")
    assert where in refused.stderr
    listed = flowcage("ls", "--store", where)
    assert (listed.status, listed.stdout) == (2 if os.path.exists(where) else 0, "")


# ---- rm and prune ----------------------------------------------------------------------------


def test_runs_that_are_over_are_removed_by_prefix(path: Path) -> None:
    kept.make(path, "done-a", "done-b", "done-c")
    removed = on(path, "rm", "done-a", "@last", "done-c")
    assert (removed.status, removed.stdout, removed.stderr) == (0, "done-a\ndone-c\n", "")
    assert kept.ids(path) == ["done-b"]
    assert on(path, "rm", "done", "--json").json == ["done-b"]


def test_a_run_that_is_unknown_or_one_of_several_has_nothing_removed(path: Path) -> None:
    kept.make(path, "done-a", "done-b")
    for wrong, message in (("x", "the store has no run 'x'"), ("done", "several runs begin with 'done'")):
        refused = on(path, "rm", "done-a", wrong)
        assert (refused.status, refused.stdout) == (2, "")
        assert message in refused.stderr
    assert kept.ids(path) == ["done-b", "done-a"]


def test_a_run_that_is_open_is_left_and_the_others_are_removed(path: Path) -> None:
    kept.make(path, "open", "done")
    removed = on(path, "rm", "open", "done")
    assert (removed.status, removed.stdout) == (1, "done\n")
    assert removed.stderr == "flowcage: run open is running; cancel it first\n"
    assert kept.ids(path) == ["open"]


def test_runs_are_pruned_by_age_and_tenant_and_in_a_dry_run_not_at_all(path: Path) -> None:
    day = 86_400_000

    async def work(store: SqliteStore) -> None:
        for run_id, tenant in (("old", "t"), ("other", "u"), ("open", "t")):
            await begun(store, run_id, tenant=tenant)
        for run_id in ("old", "other"):
            await store.end(run_id, 1, kept.DONE)

    kept.with_store(path, work, clock=lambda: int(time.time() * 1000) - 2 * day)
    kept.make(path, "done")
    dry = on(path, "prune", "--older-than", "1d", "--dry-run")
    assert sorted(dry.stdout.split()) == ["old", "other"]
    assert len(kept.ids(path)) == 4
    assert on(path, "prune", "--older-than", "36h", "--tenant", "u", "--json").json == ["other"]
    assert on(path, "prune", "--older-than", "3d").stdout == ""
    assert on(path, "prune", "--older-than", "1d").stdout == "old\n"
    assert kept.ids(path) == ["done", "open"]


@pytest.mark.parametrize("length", ["5", "-1d", "1y", "", "nan", "1e9d", "99999d", "١d"])
def test_what_is_no_length_of_time_is_a_usage_error(path: Path, length: str) -> None:
    refused = on(path, "prune", "--older-than", length)
    assert refused.status == 2
    assert "no length of time; write numbers with s, m, h, d or w: 90s, 1h30m, 30d" in refused.stderr


# ---- export and import -----------------------------------------------------------------------


def test_a_run_moves_to_another_store(path: Path, tmp_path: Path) -> None:
    kept.make(path, "done", "open")
    there, file = tmp_path / "there" / "runs.db", tmp_path / "one.db"
    assert on(path, "export", "open", file).stdout == "open\n"
    assert on(there, "import", file, "--tenant", "u").stdout == "open\n"
    (moved,) = on(there, "ls", "--json").json
    assert (moved["runId"], moved["tenant"], moved["state"]) == ("open", "u", "asleep")
    for again, message in (
        (on(there, "import", file), "all runs of the file are in the store"),
        (on(path, "export", "open", file), "is there already; give a path for a new file"),
        (on(path, "import", tmp_path / "none"), f"there is no file {tmp_path}/none"),
    ):
        assert (again.status, again.stdout) == (2, "")
        assert message in again.stderr


@pytest.mark.parametrize("damage", ["text", "cut", "empty"])
def test_a_file_that_is_no_store_is_not_imported(path: Path, tmp_path: Path, damage: str) -> None:
    kept.make(path, "done")
    file = tmp_path / "one.db"
    assert on(path, "export", "done", file).status == 0
    whole = file.read_bytes()
    file.write_bytes({"text": b"no store", "cut": whole[: len(whole) // 2], "empty": b""}[damage])
    refused = on(tmp_path / "new.db", "import", file)
    assert (refused.status, refused.stdout) == (2, "")
    assert str(file) in refused.stderr


# ---- cancel ----------------------------------------------------------------------------------


def test_a_run_that_nobody_has_is_ended_at_once_and_once(path: Path) -> None:
    kept.make(path, "open")
    ended = on(path, "cancel", "op", "--reason", "too dear")
    assert (ended.status, ended.stdout) == (0, "run open has ended: cancelled\n")
    assert on(path, "result", "open", "--json").json["error"] == {
        "kind": "cancelled",
        "message": "the run was cancelled: too dear",
    }
    assert on(path, "show", "open", "--json").json["cancel"]["reason"] == "too dear"
    again = on(path, "cancel", "open", "--json")
    assert (again.status, again.json) == (1, {"runId": "open", "state": "ended", "verdict": "cancelled"})


def test_a_run_that_is_queued_asleep_or_diverged_is_ended(path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        await store.create(new("queued"), queued=True)
        await begun(store, "asleep")
        await store.sleep("asleep", 1, 2**50)
        await begun(store, "diverged")
        await store.diverge("diverged", 1, kept.DONE)

    kept.with_store(path, work)
    for run_id in ("queued", "asleep", "diverged"):
        assert on(path, "cancel", run_id).stdout == f"run {run_id} has ended: cancelled\n"


def test_a_run_that_goes_on_is_asked_to_end(path: Path) -> None:
    async def main() -> None:
        async with kept.opened(path) as store:
            journal = await begun(store, "live")
            asked = await trio.to_thread.run_sync(on, path, "cancel", "live", "--reason", "r")
            assert (asked.status, asked.stdout) == (
                0,
                "run live goes on in another process, which was asked to end it\n",
            )
            summary = await store.get("live")
            assert summary.cancel is not None
            assert (summary.state, summary.cancel.reason) == ("running", "r")
            await written(journal, Turn(""))

    trio.run(main)


@pytest.mark.parametrize("how", ["it ends", "its host is gone", "it is left"])
def test_who_waits_for_a_cancelled_run_returns_when_it_has_ended(path: Path, how: str) -> None:
    async def main() -> None:
        finished = []

        async def cancel() -> None:
            finished.append(await trio.to_thread.run_sync(on, path, "cancel", "live", "--wait"))

        with trio.fail_after(DEADLINE):
            async with trio.open_nursery() as nursery, kept.opened(path) as store:
                await begun(store, "live")
                nursery.start_soon(cancel)
                while (await store.get("live")).cancel is None:
                    await store.news()
                if how == "it ends":
                    await store.end("live", 1, kept.DONE._replace(verdict="host_shutdown"))
                elif how == "it is left":
                    await store.release("live", 1)
        word = "host_shutdown" if how == "it ends" else "cancelled"
        assert (finished[0].status, finished[0].stdout) == (0, f"run live has ended: {word}\n")

    trio.run(main)


def test_the_host_of_a_run_that_was_ended_in_its_place_writes_nothing_more(path: Path) -> None:
    async def main() -> None:
        async with kept.opened(path) as store:
            journal = await begun(store, "run")
            await store.release("run", 1)
            await trio.to_thread.run_sync(on, path, "cancel", "run")
            with pytest.raises(Fenced):
                await written(journal, Turn(""))

    trio.run(main)


# ---- stores that cannot be used --------------------------------------------------------------


@EACH
def test_without_a_store_a_command_says_so_and_makes_none(words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    refused = on(path, *words)
    assert (refused.status, refused.stdout) == (2, "")
    assert refused.stderr == f"flowcage: there is no store {path}\n"
    assert list(tmp_path.iterdir()) == []


@EACH
def test_a_store_that_is_none_is_refused(words: tuple[str, ...], path: Path) -> None:
    path.write_text("something else\n" * 100)
    refused = on(path, *words)
    assert (refused.status, refused.stdout) == (2, "")
    assert "is no store of flowcage: it is no SQLite database; give another path" in refused.stderr


@EACH
def test_a_store_that_was_cut_off_is_refused(words: tuple[str, ...], path: Path) -> None:
    kept.make(path, "done", "open")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused = on(path, *words)
    assert (refused.status, refused.stdout) == (2, "")
    assert f"{path} is cut off" in refused.stderr


def test_without_a_run_in_it_there_is_no_last_one(path: Path) -> None:
    kept.make(path)
    refused = on(path, "cancel", "@last")
    assert (refused.status, refused.stderr) == (2, "flowcage: the store has no run '@last'\n")


def test_a_path_with_characters_of_an_address_names_a_store(path: Path, tmp_path: Path) -> None:
    kept.make(path, "done")
    folder = tmp_path / "a b%20?#"
    folder.mkdir()
    shutil.move(path, folder / "runs.db")
    done = flowcage("rm", "done", "--store", "a b%20?#/runs.db", cwd=tmp_path)
    assert (done.status, done.stdout) == (0, "done\n")


def test_a_store_that_another_program_has_locked_is_looked_at_and_not_waited_for(path: Path) -> None:
    kept.make(path, "done")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert kept.ids(path) == ["done"]
        refused = on(path, "rm", "done")
    assert (refused.status, refused.stdout) == (125, "")
    assert refused.stderr == f"flowcage: {path} is locked by another program; end that first\n"
