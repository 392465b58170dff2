"""Where the tests of the store keep one: in a file, and on a Postgres server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from . import postgres_server
from .places import Place, PostgresPlace, SqlitePlace


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a server, one for all workers."""
    if postgres_server.binaries() is None:
        pytest.skip("Postgres is not installed: initdb is not in PATH nor in /usr/lib/postgresql")
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("Postgres refuses to be run by root, and there is no setpriv")
    base = tmp_path_factory.getbasetemp()
    return postgres_server.address_for(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return SqlitePlace(tmp_path)
    return PostgresPlace(tmp_path, request.getfixturevalue("postgres"))
