"""A store whose file is deleted or replaced while it is open takes nothing more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.sqlite.store import SqliteStore

from .places import new


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_told_to_be_kept_in_a_file_that_is_gone(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "runs.db"
    store = SqliteStore.open(path)
    try:
        store.create(new("first")).wait(300)
        for file in tmp_path.glob("runs.db*"):
            if file.is_file() and replaced:
                shutil.copyfile(file, tmp_path / "copy")
                (tmp_path / "copy").replace(file)
            elif file.is_file():
                file.unlink()
        with pytest.raises(StoreFailed, match=r"runs\.db was deleted or replaced while it was open"):
            store.create(new("second")).wait(300)
    finally:
        store.close()
