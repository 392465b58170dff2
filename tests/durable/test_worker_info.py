"""What workers tell of themselves, as a stranger or a later version may have written it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from flowcage.host.durable.queue.records import WorkerInfo
from flowcage.host.durable.sql.queue.views import info_of
from flowcage.host.durable.sqlite.store import SqliteStore

from .flaky import Flaky
from .queued import queued, taken
from .test_committer import run

INFO = WorkerInfo("w", ("", "gpu"), 4, "m", "1.0", ("m",), True)


def test_what_a_later_version_tells_besides_is_left_out() -> None:
    assert info_of(json.dumps({**INFO._asdict(), "later": 1})) == INFO


@pytest.mark.parametrize(
    "text",
    [
        *("not json", "[]", "{}", "null", "NaN", "[" * 100_000),
        *(json.dumps({**INFO._asdict(), name: False}) for name in ("name", "pools", "slots")),
        *(json.dumps({**INFO._asdict(), name: 5}) for name in ("mark", "marks", "version", "is_draining")),
        json.dumps({**INFO._asdict(), "pools": [1]}),
    ],
)
def test_what_is_damaged_is_none(text: str) -> None:
    assert info_of(text) is None


def test_a_run_with_a_damaged_text_stops_no_queue(tmp_path: Path) -> None:
    async def body(store: SqliteStore, _: Flaky) -> None:
        await queued(store, "a1", "b1", "c1")
        with sqlite3.connect(tmp_path / "runs.db") as db:
            db.execute("UPDATE runs SET tenant = '\\u' WHERE run_id = 'a1'")
            db.execute("UPDATE runs SET made_by = '\\' WHERE run_id = 'b1'")
        assert sorted(await taken(store)) == ["a1", "c1"]
        assert await store.reap() == []
        assert sum(each.waiting for each in await store.depths()) == 1

    run(tmp_path, body)
