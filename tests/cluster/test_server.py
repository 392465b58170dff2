"""A server as others have set it up: behind a pooler, with TLS, with few rights, restarted, full."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio

from flowcage.host.durable.errors import NoStore, StoreFailed, WrongStore
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.postgres import owners
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.run.core.inputs import Answered, Turn
from tests.durable.places import DEADLINE_S, begun, host, new, other_host, written

from .servers import Server, ServerPlace, free_port, is_installed, pooler, server

pytestmark = pytest.mark.skipif(not is_installed(), reason="Postgres is not installed, or refuses root")
needs_pgbouncer = pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="pgbouncer is not installed")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server(listen_addresses="127.0.0.1", port=str(free_port())) as made:
        yield made


@pytest.fixture
def place(postgres: Server, tmp_path: Path) -> ServerPlace:
    return ServerPlace(tmp_path, postgres.address)


# ---- sessions --------------------------------------------------------------------------------


def sessions(database: Any) -> tuple[Any, ...]:
    """The connections of a store that carries out runs."""
    return database.committer._db.connection, database._reader.connection, database._owners._connection


def test_both_sides_notice_within_half_a_minute_that_a_host_is_cut_off(
    place: ServerPlace, postgres: Server
) -> None:
    place.server = postgres.tcp_address
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")

    async def main() -> None:
        async with host(place) as store:
            for each in sessions(store):
                told = [each.execute(f"SHOW {name}").fetchone()[0] for name in names]
                assert told == ["10", "5", "3", "25000"]
                assert {"keepalives_idle", "tcp_user_timeout"} < each.info.get_parameters().keys()

    trio.run(main)


# SIGSTOP may stop another thread first, and this one would commit before it is stopped, too.
STOPPED = """
import os, signal, threading
continued = threading.Event()
signal.signal(signal.SIGCONT, lambda *_: continued.set())
from flowcage.host.durable.postgres import connection
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.options import StoreOptions
from flowcage.host.run.core.inputs import Answered
assert connection._WRITING == {"idle_in_transaction_session_timeout": "10s"}
connection._WRITING["idle_in_transaction_session_timeout"] = "100ms"
left = 1
def fault(point):
    global left
    if point == "before-commit" and armed and left:
        left = 0
        print("in a transaction", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
        continued.wait()
armed = False
server, _, schema = sys.argv[1].partition("|")
mine = PostgresStore.open(server, StoreOptions(fault=fault), schema=schema)
armed = True
print(await mine.answer("r", Answered("1", "theirs")), flush=True)
await mine.aclose()
"""


def test_a_host_that_is_stopped_in_a_transaction_stops_no_other(place: ServerPlace) -> None:
    async def main() -> None:
        async with host(place) as store:
            await begun(store, "r")
            with other_host(place, "import sys\nglobal armed, left" + STOPPED) as process:
                assert process.stdout is not None
                assert await trio.to_thread.run_sync(process.stdout.readline) == "in a transaction\n"
                with trio.fail_after(DEADLINE_S):
                    assert await store.answer("r", Answered("1", "ours"))
                process.send_signal(18)  # it goes on
                assert await trio.to_thread.run_sync(process.stdout.readline) == "False\n"
            assert [each.answer for each in await store.answers("r")] == [Answered("1", "ours")]

    trio.run(main)


# ---- poolers ---------------------------------------------------------------------------------


@needs_pgbouncer
def test_a_pooler_that_keeps_sessions_is_as_good_as_the_server(place: ServerPlace, postgres: Server) -> None:
    program = (
        "await begun(store, 'theirs')\nprint('begun', flush=True)\nimport trio\nawait trio.sleep_forever()"
    )

    async def main() -> None:
        async with host(place) as store:
            await written(await begun(store, "r"), Turn("a"))
            with other_host(place, program) as process:
                assert process.stdout is not None
                assert await trio.to_thread.run_sync(process.stdout.readline) == "begun\n"
                assert await store.claim("theirs") is None
                process.kill()
            with trio.fail_after(DEADLINE_S):
                while await store.claim("theirs") is None:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            await store.answer("r", Answered("1", "x"))
            with trio.fail_after(DEADLINE_S):
                await store.news()

    with pooler(postgres, "session") as address:
        place.server = address
        trio.run(main)


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_pooler_that_shares_sessions_is_refused(
    place: ServerPlace, postgres: Server, mode: str, read_only: bool
) -> None:
    place.open().close()
    with pooler(postgres, mode) as address, pytest.raises((WrongStore, StoreFailed), match=f"{mode}.*pool"):
        PostgresStore.open(address, schema=place.schema, read_only=read_only)


# ---- who may come in ---------------------------------------------------------------------------


def test_a_role_without_rights_is_told_which(place: ServerPlace, postgres: Server) -> None:
    with postgres.administrator() as administrator:
        administrator.execute("CREATE ROLE looks LOGIN")
        address = f"{postgres.address} user=looks"
        with pytest.raises(WrongStore, match="cannot be opened: permission denied for database postgres"):
            PostgresStore.open(address, schema=place.schema)
        place.open().close()
        with pytest.raises(WrongStore, match=r"the role 'looks' may not use the schema .* grant USAGE"):
            PostgresStore.open(address, schema=place.schema, read_only=True)
        administrator.execute(f"GRANT USAGE ON SCHEMA {place.schema} TO looks")
        administrator.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {place.schema} TO looks")
        with pytest.raises(WrongStore, match="cannot be opened: permission denied for table"):
            PostgresStore.open(address, schema=place.schema)
    store = PostgresStore.open(address, schema=place.schema, read_only=True)
    assert trio.run(store.runs) == []
    store.close()


def test_a_database_that_is_not_there_is_named(postgres: Server) -> None:
    with pytest.raises(StoreFailed, match='database "other" does not exist'):
        PostgresStore.open(f"{postgres.address} dbname=other")
    with pytest.raises(NoStore, match="the database has no schema 'nobody' with one"):
        PostgresStore.open(postgres.address, schema="nobody", read_only=True)


def test_passwords_and_certificates_are_verified_by_both_sides(tmp_path: Path) -> None:
    with server(listen_addresses="127.0.0.1", port=str(free_port())) as made:
        certify(made, tmp_path)
        with made.administrator() as administrator:
            administrator.execute("CREATE ROLE safe LOGIN SUPERUSER PASSWORD 's3cret'")
            administrator.execute("ALTER SYSTEM SET ssl = on")
        made.write("data/pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        made.restart("fast")
        tcp = made.tcp_address.replace("host=127.0.0.1", "host=localhost hostaddr=127.0.0.1")
        safe = f"{tcp} user=safe sslmode=verify-full sslrootcert={tmp_path / 'ours.crt'}"
        PostgresStore.open(f"{safe} password=s3cret").close()
        for address, why in (
            (f"{safe} password=guess1", 'password authentication failed for user "safe"'),
            (f"{safe.replace('ours', 'theirs')} password=s3cret", "certificate verify failed"),
            (f"{safe.replace('host=localhost', 'host=other')} password=s3cret", "does not match host name"),
            (f"{tcp} user=safe sslmode=disable password=s3cret", "no pg_hba.conf entry .*no encryption"),
        ):
            with pytest.raises(StoreFailed, match=why) as caught:
                PostgresStore.open(address)
            assert not {"s3cret", "guess1"} & set(str(caught.value).split())


def certify(made: Server, folder: Path) -> None:
    """Give a server a certificate, and write whom clients may trust: its own, and that of somebody else."""
    for name in ("ours", "theirs"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", f"{name}.key", "-out", f"{name}.crt"],
            check=True, cwd=folder, capture_output=True,
        )  # fmt: skip
    made.write("data/server.crt", (folder / "ours.crt").read_text())
    made.write("data/server.key", (folder / "ours.key").read_text())


# ---- a server that comes and goes --------------------------------------------------------------


def test_nobody_is_taken_for_dead_because_the_server_was_restarted(
    postgres: Server, place: ServerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All session locks are gone then. Who came before, and is really dead, is found out later."""
    monkeypatch.setattr(owners, "COMING_BACK_SECONDS", 600)

    async def main() -> None:
        async with host(place) as one, host(place) as two:
            journal = await begun(one, "r")
            await trio.to_thread.run_sync(postgres.restart)
            async with host(place) as three:
                assert await three.claim("r") is None
                assert await two.claim("r") is None  # it has no lock itself
                with trio.fail_after(DEADLINE_S):
                    await two.news()  # now it has
                assert await two.claim("r") is None
                assert await two.claimable() == []
                with trio.fail_after(DEADLINE_S):
                    await one.news()
                await written(journal, Turn("a"))
                await begun(three, "new")
            async with host(place) as four:  # of the other it is known that it came after the restart
                assert await four.claim("new") == 2

    trio.run(main)


def test_hosts_that_did_not_come_back_are_dead(
    postgres: Server, place: ServerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with host(place) as one, host(place) as two:
            await begun(one, "r")
            await trio.to_thread.run_sync(postgres.restart)
            monkeypatch.setattr(owners, "COMING_BACK_SECONDS", 0)
            with trio.fail_after(DEADLINE_S):
                await two.news()
            assert await two.claim("r") == 2

    trio.run(main)


def test_a_store_that_finds_no_free_connection_waits_for_one(tmp_path: Path) -> None:
    with server(max_connections="6", superuser_reserved_connections="0") as made:
        place = ServerPlace(tmp_path, made.address)

        async def main() -> None:
            async with host(place) as store:
                journal = await begun(store, "r")
                taken = [psycopg.connect(made.address, autocommit=True) for _ in range(3)]
                with pytest.raises(StoreFailed, match=r"cannot be opened: .*too many clients already"):
                    place.open()
                db: Any = store.committer._db
                taken[0].execute("SELECT pg_terminate_backend(%s, 60000)", (db.connection.info.backend_pid,))
                taken.append(psycopg.connect(made.address))
                journal.record(1.0, Turn("a"))
                ticket = journal.flush()
                with trio.fail_after(DEADLINE_S):
                    while "too many clients" not in (store.trouble or ""):  # noqa: ASYNC110
                        await trio.sleep(0.01)
                taken.pop().close()
                await ticket
                for each in taken:
                    each.close()
                assert [each.input for each in (await store.load("r")).entries] == [Turn("a")]

        trio.run(main)


def test_a_read_waits_for_a_server_that_is_away(tmp_path: Path) -> None:
    with server() as made:
        place = ServerPlace(tmp_path, made.address)

        async def main() -> None:
            async with host(place) as store, host(place, StoreOptions(give_up_seconds=0.2)) as hasty:
                await begun(store, "r")
                await trio.to_thread.run_sync(made.stop)
                with pytest.raises(StoreFailed, match="the store in Postgres cannot be read: "):
                    await hasty.get("r")
                found: list[str] = []
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(get, store, found)
                    await trio.to_thread.run_sync(made.start)
                assert found == ["r"]
                with made.administrator() as administrator:
                    administrator.execute(f"DROP SCHEMA {place.schema} CASCADE")
                with trio.fail_after(DEADLINE_S), pytest.raises(StoreFailed, match="does not exist"):
                    await store.get("r")

        trio.run(main)


async def get(store: Any, found: list[str]) -> None:
    found.append((await store.get("r")).run_id)


# ---- clocks ------------------------------------------------------------------------------------


def test_the_time_of_a_store_is_that_of_its_server(
    place: ServerPlace, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = 3_600
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + hour * 10**9)

    async def main() -> None:
        async with host(place) as store:
            await store.create(new("r"))
            with postgres.administrator() as administrator:
                row = administrator.execute("SELECT extract(epoch FROM now())::bigint").fetchone()
            assert row is not None
            for told in (store.now(), (await store.get("r")).created_at):
                assert abs(told / 1000 - row[0]) < hour / 2
        async with host(place, StoreOptions(clock=lambda: 5)) as store:
            assert store.now() == 5

    trio.run(main)


# ---- as its owner has set it up --------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_any_encoding_of_a_database_will_do(postgres: Server, tmp_path: Path, encoding: str) -> None:
    name = f"in_{encoding.lower()}"
    with postgres.administrator() as each:
        each.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'".encode())
    place = ServerPlace(tmp_path, postgres.address.replace("dbname=postgres", f"dbname={name}"))

    async def main() -> None:
        for again in (False, True):
            async with host(place) as store:
                if not again:
                    await written(await begun(store, "r", tenant="größe ☃"), Turn("☃ \ud800\0"))
                record = await store.load("r")
                assert record.summary.tenant == "größe ☃"
                assert [each.input for each in record.entries] == [Turn("☃ \ud800\0")]

    trio.run(main)


def test_no_session_is_too_idle(postgres: Server, tmp_path: Path) -> None:
    with postgres.administrator() as each:
        each.execute("CREATE DATABASE restless")
        each.execute("ALTER DATABASE restless SET idle_session_timeout = '100ms'")
    place = ServerPlace(tmp_path, postgres.address.replace("dbname=postgres", "dbname=restless"))

    async def main() -> None:
        async with host(place) as store:
            for each in sessions(store):
                assert each.execute("SHOW idle_session_timeout").fetchone() == ("0",)

    trio.run(main)
