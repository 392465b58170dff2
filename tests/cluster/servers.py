"""A Postgres server of one test alone, which may do to it whatever it likes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.durable import postgres_server

_SETTINGS = {"listen_addresses": "''", "fsync": "off", "max_connections": "100"}


class Server:
    """Made by `server`.

    Attributes:
        folder: its files and its socket are there.
        address: of its database, for a superuser.
    """

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        programs = postgres_server.binaries()
        assert programs is not None
        self._programs = programs
        self.settings = _SETTINGS | settings
        self.folder = folder
        self.address = f"host={folder} port={postgres_server.PORT} user=postgres dbname=postgres"
        postgres_server.initialise(folder, programs)

    def start(self) -> None:
        postgres_server.begin(self.folder, self._programs, self.settings)

    def stop(self, mode: str = "immediate") -> None:
        postgres_server.control(self.folder, self._programs, "stop", "-m", mode)

    def restart(self, mode: str = "immediate") -> None:
        self.stop(mode)
        self.start()

    @contextmanager
    def administrator(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.address, autocommit=True) as connection:
            yield connection


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """A server, for the length of a block; `settings` are those of its configuration."""
    folder = Path(tempfile.mkdtemp(prefix="flowcage-cluster-"))
    made = Server(folder, settings)
    try:
        made.start()
        yield made
    finally:
        with suppress(Exception):
            made.stop()
        shutil.rmtree(folder)
