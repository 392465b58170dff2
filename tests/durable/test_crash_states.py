"""Whatever a loss of power leaves, what was durable is in the store, and the rest is a beginning."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from flowcage.host.durable.errors import StoreError, StoreFailed
from flowcage.host.durable.journal import Journal
from flowcage.host.durable.records import ALL
from flowcage.host.durable.sql import reading
from flowcage.host.durable.sqlite import store as sqlite
from flowcage.host.durable.sqlite.store import Durability, SqliteStore
from flowcage.host.run.core.inputs import Answered, Input

from . import crash_disk
from .crash_disk import LOG, MODES, Event, LoggedConnection, disk_after
from .places import new

RUNS = ("a", "b", "c")
ROUNDS = 30


def value(run_id: str, seq: int) -> Input:
    return Answered(str(seq), f"{run_id}{seq}" * (seq * 997 % 400))


def recorded(folder: Path, durability: Durability, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """All that a host does to the disk, from making the store to closing it."""
    monkeypatch.setattr(sqlite, "_CHECKPOINT_AFTER_COMMITS", 4)
    LOG.clear()
    rng = random.Random(7)
    store = SqliteStore.open(folder / "runs.db", durability=durability, connect=LoggedConnection)
    for run_id in RUNS:
        store.create(new(run_id)).wait(300)
    journals = [Journal(store, run_id, 1) for run_id in RUNS]
    for _ in range(ROUNDS):
        tickets = []
        for journal in rng.choices(journals, k=rng.randrange(1, 5)):
            for more in range(rng.randrange(1, 4)):
                journal.record(1.0, value(journal.run_id, journal.seq + more))
            tickets.append(journal.flush())
        for ticket in tickets:
            ticket.wait(300)
        LOG.append(Event("ack", durable={each.run_id: each.seq for each in journals}))
    store.close()
    return list(LOG)


def judged(folder: Path, files: dict[str, bytes], durable: dict[str, int]) -> str:
    """What a host makes of what is left."""
    for old in folder.iterdir():
        if old.is_file():
            old.unlink()
    (folder / "runs.db").touch()
    for name, image in files.items():
        if name.startswith("runs.db"):
            (folder / name).write_bytes(image)
    try:
        store = SqliteStore.open(folder / "runs.db", durability="off")
    except (StoreError, StoreFailed) as error:
        return f"cannot be opened: {error}"
    try:
        there = store._read_locked(lambda db: [run.run_id for run in reading.runs(db, ALL)])
        lost = False
        for run_id in there:
            ids = [run_id]
            (record,) = store._read_locked(lambda db, ids=ids: reading.load(db, store._payloads, ids))  # type: ignore[misc]
            if isinstance(record, Exception):
                raise record
            entries = [each.input for each in record.entries]
            if entries != [value(run_id, seq) for seq in range(len(entries))]:
                return "no beginning"
            lost = lost or len(entries) < durable.get(run_id, 0)
        return "lost" if lost or not set(durable) <= set(there) else "right"
    except StoreError as error:
        return f"cannot be read: {error}"
    finally:
        store.close()


def tallied(folder: Path, log: Sequence[Event], points: Sequence[int]) -> Counter[str]:
    rng = random.Random(11)
    folder.mkdir()
    return Counter(judged(folder, *disk_after(log[:point], mode, rng)) for point in points for mode in MODES)


def some_points(log: Sequence[Event], count: int) -> list[int]:
    """Points of the log: some anywhere, and each that follows a deletion or a truncation."""
    special = [n + 1 for n, event in enumerate(log) if event.kind in ("delete", "truncate")]
    return sorted({*special, *random.Random(3).sample(range(1, len(log) + 1), count)})


def test_the_log_has_all_that_a_store_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = recorded(tmp_path, "full", monkeypatch)
    kinds = Counter((event.kind, event.name.removeprefix("runs.db")) for event in log)

    assert kinds["write", "-wal"] > 100
    assert kinds["sync", "-wal"] > ROUNDS
    assert kinds["sync", ""] > 5  # checkpoints
    assert kinds["delete", "-journal"] >= 1
    assert kinds["ack", ""] == ROUNDS


def test_what_was_durable_survives_a_loss_of_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = recorded(tmp_path, "full", monkeypatch)

    assert set(tallied(tmp_path / "after", log, some_points(log, 12))) == {"right"}


def test_a_store_that_does_not_wait_for_the_disk_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = recorded(tmp_path, "off", monkeypatch)
    tally = tallied(tmp_path / "after", log, some_points(log, 12))

    assert set(tally) - {"right"}


@pytest.mark.thorough
def test_whatever_a_loss_of_power_leaves_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = recorded(tmp_path, "full", monkeypatch)

    assert set(tallied(tmp_path / "after", log, range(1, len(log) + 1))) == {"right"}


@pytest.mark.thorough
def test_a_relaxed_store_is_a_beginning_after_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = recorded(tmp_path, "relaxed", monkeypatch)

    assert set(tallied(tmp_path / "after", log, range(1, len(log) + 1))) == {"right", "lost"}


def test_the_disk_is_of_the_build_that_is_logged() -> None:
    assert crash_disk.VFS is not None
