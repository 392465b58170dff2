"""What a run was made by, and the warning where it is gone on with by something else."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume import made_by as module
from flowcage.host.resume.made_by import made_by, moved
from flowcage.host.resume.new.begin import begin
from flowcage.host.run.options import RunOptions


def test_a_run_knows_what_it_was_made_by(tmp_path: Path) -> None:
    async def main() -> dict[str, str]:
        store = SqliteStore.open(tmp_path / "runs.db", durability="relaxed")
        try:
            await begin(store, "run", "export default 1", "w.js", {}, RunOptions())
            return dict((await store.load("run")).workflows[""].made_by)
        finally:
            await store.aclose()

    found = trio.run(main)
    assert found == dict(made_by())
    assert set(found) == {"flowcage", "protocol", "prelude", "engine", "build"}
    assert "unknown" not in found.values()
    assert found["engine"][0].isdigit()


def test_the_build_is_that_of_the_shared_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "_quickjs.so"
    file.write_bytes(b"another build")
    monkeypatch.setattr(module, "_engine", lambda: file)
    assert made_by.__wrapped__()["build"] != made_by()["build"]
    monkeypatch.setattr(module, "_engine", lambda: None)
    assert made_by.__wrapped__()["build"] == "unknown"


def test_what_is_other_is_named() -> None:
    assert moved(made_by()) is None
    assert moved({}) is None  # made before this was kept
    warning = moved({**made_by(), "build": "0123456789abcdef"})
    assert warning is not None
    assert "with build 0123456789abcdef and now " in warning
    assert "engine" not in warning
