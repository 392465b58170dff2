"""The CPU of earlier lives counts for the limit, and that of replays does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, RunError, RunOptions
from flowcage.host.durable.records import EncodedEntry, RunRecord
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.errors import CpuExceeded
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.run.core.inputs import Lived
from flowcage.protocol.limits import Limits

from ..host.children import Launcher

# Computes before it asks, and after it was answered, until `args` say that it is enough.
SOURCE = """
const compute = (n) => { let x = 0; for (let i = 0; i < n * 1e6; i++) x = (x * 31 + i) | 0; return x; };
compute(args.before);
await agent('a');
compute(args.after);
await agent('b');
export default 1"""


def lives(folder: Path, args: dict[str, int], cpu_seconds: int, stops: int) -> tuple[RunRecord, object]:
    """Lives of a run, each but the last ended while its agent is at work. The last one's error."""
    launcher = Launcher()

    async def life(number: int) -> tuple[RunRecord, object]:
        store = SqliteStore.open(folder / "runs.db", durability="relaxed")
        error: object = None
        try:
            with trio.CancelScope() as scope:

                async def agent(call: AgentCall) -> AgentAnswer:
                    if call.prompt == "a" and number < stops:
                        scope.cancel()
                        await trio.sleep_forever()
                    return AgentAnswer("x")

                limits = Limits(cpu_seconds=cpu_seconds, step_timeout_ms=60_000)
                given = RunOptions(agent=agent, launcher=launcher, limits=limits, timeout_seconds=120)
                if number == 0:
                    kept = await begin(store, "run", SOURCE, "w.js", args, given)
                else:
                    kept = await take_up(store, "run")
                try:
                    await kept.execute(kept.run(given))
                except RunError as failed:
                    error = failed
            return await store.load("run"), error
        finally:
            await store.aclose()

    for number in range(stops + 1):
        record, error = trio.run(life, number)
    launcher.assert_nothing_left()
    return record, error


def test_the_report_tells_of_earlier_lives(tmp_path: Path) -> None:
    record, error = lives(tmp_path, {"before": 5, "after": 0}, 60, 2)

    assert error is None
    assert record.ending is not None
    usage = dict(record.ending.usage)
    first, second, _last = told(record)
    assert usage["earlierCpuSeconds"] == pytest.approx(first + second, abs=1e-5)
    assert usage["userCpuSeconds"] > 0


def told(record: RunRecord) -> list[float]:
    """What is written, by life."""
    found: dict[int, float] = {}
    for entry in record.entries:
        if isinstance(entry.input, Lived):
            found[entry.epoch] = found.get(entry.epoch, 0.0) + entry.input.cpu_seconds
    return list(found.values())


def test_a_replay_costs_nothing(tmp_path: Path) -> None:
    record, error = lives(tmp_path, {"before": 5, "after": 0}, 60, 3)

    assert error is None
    first, *later = told(record)
    assert first > 0.1
    assert all(each < first / 2 for each in later)  # each of them has computed as much again


def test_what_earlier_lives_have_used_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def used_much(store: SqliteStore) -> None:
        summary = await store.get("run")
        epoch = await store.claim("run", reopen=True)
        assert epoch is not None
        entry = EncodedEntry(10.0, store.encode(Lived(100.0)))
        await store.append("run", epoch, summary.entries, [entry])
        await store.release("run", epoch)

    lives_before, error = lives(tmp_path, {"before": 1, "after": 1}, 60, 0)
    assert (error, lives_before.summary.verdict) == (None, "completed")
    folder = tmp_path / "second"
    folder.mkdir()
    real = take_up

    async def taken(store: SqliteStore, run_id: str) -> object:
        await used_much(store)
        return await real(store, run_id)

    monkeypatch.setattr(f"{__name__}.take_up", taken)
    record, error = lives(folder, {"before": 1, "after": 1}, 60, 1)
    assert isinstance(error, CpuExceeded)
    assert record.summary.verdict == "cpu_limit"
