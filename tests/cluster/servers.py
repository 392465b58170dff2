"""A Postgres server of one test alone, which may do to it whatever it likes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
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

    def __init__(self, folder: Path, settings: dict[str, str], of: Server | None = None) -> None:
        programs = postgres_server.binaries()
        assert programs is not None
        self._programs = programs
        self.settings = _SETTINGS | settings
        self.folder = folder
        database = f"port={self.port} user=postgres dbname=postgres"
        self.address, self.tcp_address = f"host={folder} {database}", f"host=127.0.0.1 {database}"
        if of is None:
            postgres_server.initialise(folder, programs)
        else:
            self._copy(of)

    def _copy(self, of: Server) -> None:
        folder, words = self.folder, ("-R", "-X", "stream", "-c", "fast", "--no-sync")
        if os.getuid() == 0:
            folder.chmod(0o755)
            shutil.chown(folder, postgres_server.USER, "nogroup")
        copy: list[str | Path] = [
            self._programs / "pg_basebackup",
            "-d",
            of.address,
            "-D",
            folder / "data",
            *words,
        ]
        subprocess.run(postgres_server.as_server(copy), check=True, cwd="/")

    def promote(self) -> None:
        """Have a standby take over."""
        postgres_server.control(self.folder, self._programs, "promote")

    def cut_off(self) -> None:
        """Have a standby get nothing more."""
        with self.administrator() as each:
            each.execute("ALTER SYSTEM SET primary_conninfo = ''")
            each.execute("SELECT pg_reload_conf()")
            until = time.monotonic() + DEADLINE_S
            while each.execute("SELECT 1 FROM pg_stat_wal_receiver").fetchone() is not None:
                assert time.monotonic() < until, "the standby goes on receiving"
                time.sleep(0.05)

    def until_it_has_all_of(self, primary: Server) -> None:
        """Wait until a standby has what its primary has written."""
        with primary.administrator() as each:
            row = each.execute("SELECT pg_current_wal_lsn()").fetchone()
        until = time.monotonic() + DEADLINE_S
        with self.administrator() as each:
            while each.execute("SELECT pg_last_wal_replay_lsn() >= %s", row).fetchone() != (True,):
                assert time.monotonic() < until, "the standby is behind"
                time.sleep(0.05)

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
def server(of: Server | None = None, **settings: str) -> Iterator[Server]:
    """A server, or a standby of one, for the length of a block; `settings` are those of its configuration."""
    folder = Path(tempfile.mkdtemp(prefix="flowcage-cluster-"))
    try:
        made = Server(folder, settings, of)
    except BaseException:
        shutil.rmtree(folder)
        raise
    try:
        made.start()
        yield made
    finally:
        with suppress(Exception):
            made.stop()
        shutil.rmtree(folder)


def standby(primary: Server) -> AbstractContextManager[Server]:
    """A server that follows another one, for the length of a block."""
    return server(primary, listen_addresses="127.0.0.1", port=str(free_port()))


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
