"""A store with workers on it, for the commands that begin runs for others."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..durable import postgres_server
from .workers import Cluster, address


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> str | None:
    """The address of a Postgres server, one for all workers of pytest; None where none can be started."""
    if postgres_server.binaries() is None or (os.getuid() == 0 and shutil.which("setpriv") is None):
        return None
    base = tmp_path_factory.getbasetemp()
    return postgres_server.address_for(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture
def cluster(server: str | None, tmp_path: Path) -> Iterator[Cluster]:
    """A store without a worker yet: a database, or else a file."""
    store = tmp_path / "runs.db" if server is None else address(server, f"t_{secrets.token_hex(8)}")
    made = Cluster(str(store), tmp_path)
    yield made
    made.end()
