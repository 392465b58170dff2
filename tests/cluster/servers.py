"""A Postgres server of one test alone, which may do to it whatever it likes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.durable import postgres_server
from tests.durable.places import DEADLINE_S, PostgresPlace

_SETTINGS = {"listen_addresses": "''", "fsync": "off", "max_connections": "100"}


def is_installed() -> bool:
    """Whether a server can be started here."""
    return postgres_server.binaries() is not None and (
        os.getuid() != 0 or shutil.which("setpriv") is not None
    )


class Server:
    """Made by `server`.

    Attributes:
        folder: its files and its socket are there.
        address: of its database, for a superuser.
        tcp_address: the same, where `settings` has a port.
    """

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        programs = postgres_server.binaries()
        assert programs is not None
        self._programs = programs
        self.settings = _SETTINGS | settings
        self.folder = folder
        database = f"port={self.port} user=postgres dbname=postgres"
        self.address, self.tcp_address = f"host={folder} {database}", f"host=127.0.0.1 {database}"
        postgres_server.initialise(folder, programs)

    def start(self) -> None:
        postgres_server.begin(self.folder, self._programs, self.settings)

    @property
    def port(self) -> str:
        return self.settings.get("port", str(postgres_server.PORT))

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file that the server can read."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        if os.getuid() == 0:
            shutil.chown(path, postgres_server.USER, "nogroup")
        return path

    def stop(self, mode: str = "immediate") -> None:
        postgres_server.control(self.folder, self._programs, "stop", "-m", mode)

    def restart(self, mode: str = "immediate") -> None:
        self.stop(mode)
        self.start()

    def until_ready(self) -> None:
        """Wait for the server, whatever it is doing."""
        ready = [str(self._programs / "pg_isready"), "-q", "-h", str(self.folder), "-p", self.port]
        until = time.monotonic() + DEADLINE_S
        while subprocess.run(ready, check=False).returncode:
            assert time.monotonic() < until, "the server does not come back"
            time.sleep(0.05)

    @contextmanager
    def administrator(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.address, autocommit=True) as connection:
            yield connection


class ServerPlace(PostgresPlace):
    """A schema of a server's, whose address may be changed."""

    def __init__(self, folder: Path, server: str) -> None:
        super().__init__(folder, server)
        _, _, self.schema = self.address.partition("|")

    @property
    def server(self) -> str:
        return self.address.partition("|")[0]

    @server.setter
    def server(self, address: str) -> None:
        self.address = f"{address}|{self.schema}"


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


def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def pooler(postgres: Server, mode: str) -> Iterator[str]:
    """pgbouncer before a server, for the length of a block. The address to give."""
    port = free_port()
    settings = f"""[databases]
postgres = host={postgres.folder} port={postgres.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
"""
    words = postgres_server.as_server(["pgbouncer", str(postgres.write("pgbouncer.ini", settings))])
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            while "process up" not in (line := process.stderr.readline()):
                assert line, "pgbouncer does not start"
            yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
        finally:
            process.kill()
