"""Histories and files that are damaged or hostile, and runs of unusual shape, in a replay."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall, RunOptions
from flowcage.host.durable.errors import DamagedStore
from flowcage.host.durable.history.forms import withhold_prompts
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.resume.replay import ReplayReport, replay
from flowcage.protocol.limits import Limits

from ..contract.test_compatibility import OLDER_CHILD
from ..e2e.command import FLOWCAGE
from ..host.children import Launcher
from .kept_runs import kept


def replayed(record: RunRecord, **more: Any) -> ReplayReport:
    launcher = more.pop("launcher", None) or Launcher()
    report = trio.run(lambda: replay(record, RunOptions(launcher=launcher, **more)))
    launcher.assert_nothing_left()
    return report


def test_an_older_child_replays_turn_by_turn(tmp_path: Path) -> None:
    report = replayed(kept(tmp_path), launcher=Launcher(OLDER_CHILD), isolation="none")
    assert report.is_same, report.divergences
    assert {each.end for each in report.workflows} == {"complete"}


@pytest.mark.parametrize("calls", [260, 600])
def test_groups_of_answers_are_told_as_they_were(tmp_path: Path, calls: int) -> None:
    source = f"""const done = [];
    await parallel(Array.from({{length: {calls}}}, (_, n) => async () => {{
      done.push(await agent('q' + n)); if (done.length % 50 === 0) await agent('after ' + done.join());
    }}));
    export default done;"""
    report = replayed(kept(tmp_path, source, max_agents=calls))
    assert report.is_same, report.divergences


def test_answers_of_a_megabyte_are_told_alone(tmp_path: Path) -> None:
    async def agent(call: AgentCall) -> AgentAnswer:
        return AgentAnswer("é" * 600_000 if call.prompt == "large" else "small")

    source = (
        "const a = []; for (const p of ['s', 'large', 's', 'large', 's']) a.push((await agent(p)).length);"
    )
    given = RunOptions(agent=agent)

    async def main() -> RunRecord:
        store = SqliteStore.open(tmp_path / "runs.db", durability="relaxed")
        try:
            run = await begin(store, "run", source + "export default a;", "w.js", {}, given)
            await run.execute(run.run(given))
            return await store.load("run")
        finally:
            await store.aclose()

    record = trio.run(main)
    assert record.ending is not None
    assert record.ending.result == [5, 600_000, 5, 600_000, 5]
    assert replayed(record).is_same


def test_prompts_that_are_not_kept_are_asked_as_they_were(tmp_path: Path) -> None:
    """Of a run that is gone on with, the calls that are open are told by the new child."""
    asked: list[str] = []

    async def main() -> Any:
        store = SqliteStore.open(tmp_path / "runs.db", StoreOptions(redact=withhold_prompts))
        try:
            with trio.CancelScope() as scope:

                async def agent(call: AgentCall) -> AgentAnswer:
                    asked.append(call.prompt)
                    if call.prompt == "secret 5" and asked.count("secret 5") == 1:
                        scope.cancel()
                        await trio.sleep_forever()
                    return AgentAnswer("x")

                given = RunOptions(agent=agent)
                source = "for (let i = 0; i < 9; i++) await agent('sec' + 'ret ' + i); export default 1"
                run = await begin(store, "run", source, "w.js", {}, given)
                await run.execute(run.run(given))
            run = await take_up(store, "run")
            outcome = await run.execute(run.run(given))
            return outcome.result, await store.load("run")
        finally:
            await store.aclose()

    result, record = trio.run(main)
    assert result == 1
    assert asked == [*(f"secret {n}" for n in range(6)), *(f"secret {n}" for n in range(5, 9))]
    assert b"secret" not in (tmp_path / "runs.db").read_bytes()
    assert replayed(record).is_same


def test_a_step_that_takes_long_is_no_divergence_for_a_child_that_replays_many(tmp_path: Path) -> None:
    source = """for (let i = 0; i < 30; i++) {
      await agent('a' + i); let n = 0; for (let k = 0; k < 1e6; k++) n += k; }
    export default 1"""
    record = kept(tmp_path, source, limits=Limits(step_timeout_ms=1000))
    report = replayed(record)
    assert report.is_same, report.divergences


# ---- files -----------------------------------------------------------------------------------


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([FLOWCAGE, *words], capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def exported(tmp_path: Path) -> Path:
    kept(tmp_path)

    async def main() -> None:
        store = SqliteStore.open(tmp_path / "runs.db")
        try:
            await store.export("run", tmp_path / "run.flowcage")
        finally:
            await store.aclose()

    trio.run(main)
    return tmp_path / "run.flowcage"


def test_a_file_is_replayed(tmp_path: Path) -> None:
    done = command("replay", exported(tmp_path), "--verify", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["same"]
    assert [each["runId"] for each in told["runs"]] == ["run"]


def test_a_file_of_another_source_has_diverged(tmp_path: Path) -> None:
    path = exported(tmp_path)
    with sqlite3.connect(path) as db:
        terms = "replace(CAST(data AS TEXT), 'agent(', 'agent(''x'' + ')"
        count = db.execute("SELECT count(*) FROM blobs").fetchone()[0]
        assert count >= 2
        db.execute(f"UPDATE blobs SET data = CAST({terms} AS BLOB)")
    db.close()
    done = command("replay", path)
    assert done.returncode == 2  # the checksum of the source is wrong
    assert "checksum" in done.stderr


def _text(path: Path) -> None:
    path.write_text("no database at all, but long enough to have a header of a hundred bytes" * 3)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _other(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE runs(run_id TEXT)")
    db.close()


def _sql(*statements: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with sqlite3.connect(path) as db:
            for statement in statements:
                db.execute(statement)
        db.close()

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _text, _empty, _cut, _other,
        _sql("UPDATE flowcage_schema SET version = 99, oldest_reader = 99"),
        _sql("DROP TABLE entries"),
        _sql("DELETE FROM entries WHERE seq = 3"),
        _sql("DELETE FROM workflows WHERE path = ''"),
        _sql("UPDATE entries SET seq = seq + 1000 WHERE seq > 5"),
        _sql("UPDATE entries SET data = x'00'"),
        _sql("UPDATE entries SET data = zeroblob(100000)"),
        _sql("UPDATE runs SET rules = '{\"max_agents\": []}'"),
        _sql("UPDATE runs SET rules = 'x'"),
        _sql("UPDATE runs SET ending = x'6a00'"),
        _sql("UPDATE runs SET digest_key = x''"),
        _sql("UPDATE runs SET digest_key = zeroblob(100)"),
        _sql("UPDATE entries SET at = 'x'"),
    ],
)  # fmt: skip
def test_a_file_that_is_damaged_or_hostile_is_told_in_words(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = exported(tmp_path)
    damage(path)
    done = command("replay", path, "--verify")
    assert done.returncode in (1, 2), (done.returncode, done.stdout, done.stderr)
    assert done.stderr or "diverged" in done.stdout


def test_each_damaged_entry_is_refused_or_diverges(tmp_path: Path) -> None:
    """One byte of each entry is turned, at a place that moves."""
    path = exported(tmp_path)
    for seq in range(0, 40, 3):
        damaged = tmp_path / f"damaged-{seq}.flowcage"
        shutil.copy(path, damaged)
        with sqlite3.connect(damaged) as db:
            (data,) = db.execute("SELECT data FROM entries WHERE seq = ?", (seq,)).fetchone()
            changed = bytearray(data)
            changed[(seq * 7) % len(changed)] ^= 1 << (seq % 8)
            db.execute("UPDATE entries SET data = ? WHERE seq = ?", (bytes(changed), seq))
        db.close()

        async def load(file: Path = damaged) -> RunRecord:
            store = SqliteStore.open(file, read_only=True)
            try:
                return await store.load("run")
            finally:
                await store.aclose()

        with pytest.raises(DamagedStore):
            trio.run(load)


@pytest.mark.parametrize("limits", [{"memoryBytes": -1}, {"cpuSeconds": "x"}, {"noSuchLimit": 1}, 5])
def test_a_limit_in_a_file_that_no_limit_can_have_is_told(tmp_path: Path, limits: Any) -> None:
    path = exported(tmp_path)
    terms = {"sourceName": "w.js", "dialect": "auto", "budget": [None, 0], "limits": limits, "madeBy": {}}
    data = json.dumps(terms).encode()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE workflows SET terms = ?", (b"j" + zlib.crc32(data).to_bytes(4, "big") + data,))
    db.close()
    done = command("replay", path)
    assert done.returncode == 2, done.stderr
    assert "what is kept beside its entries is wrong" in done.stderr
