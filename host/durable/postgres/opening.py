"""The tables of a store in a schema: made, brought up to date, or refused."""

from __future__ import annotations

import secrets
from contextlib import suppress

from flowcage.host.durable.errors import NoStore, StoreFailed, WrongStore
from flowcage.host.durable.postgres.connection import PostgresDatabase, told
from flowcage.host.durable.postgres.driver import psycopg, sql
from flowcage.host.durable.sql import schema as tables

_MIGRATING = 0x666C_6361  # an advisory lock: two hosts that come first at once


def not_opened(error: psycopg.Error) -> StoreFailed | WrongStore:
    """What is told of a store that cannot be opened. What the user asked for wrongly is no failure."""
    kind = WrongStore if isinstance(error, psycopg.ProgrammingError) else StoreFailed
    return kind(f"the store in Postgres cannot be opened: {told(error)}")


def no_store(schema: str) -> NoStore:
    """The error where none is there, and none is to be made."""
    return NoStore(
        f"there is no store: the database has no schema {schema!r} with one; the first run makes it"
    )


def prepare(db: PostgresDatabase, schema: str, now: int, *, makes: bool) -> None:
    """Bring the tables up to date."""
    db.begin()
    try:
        db.execute("SELECT pg_advisory_xact_lock(?)", (_MIGRATING,))
        version = version_of(db, schema)
        if version == 0 and not makes:
            raise no_store(schema)
        if version == 0 and not _has_schema(db, schema):  # which takes a right that few roles have
            db.connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        for statement in tables.statements_after(version, postgres=True):
            db.execute(statement)
        if version == 0:
            db.execute(
                "INSERT INTO flowcage_schema VALUES(?, ?, ?, ?)",
                (tables.VERSION, tables.OLDEST_READER, secrets.token_bytes(32), now),
            )
        elif version < tables.VERSION:
            db.execute(
                "UPDATE flowcage_schema SET version = ?, oldest_reader = ?",
                (tables.VERSION, tables.OLDEST_READER),
            )
        db.commit()
    finally:
        with suppress(psycopg.Error):
            db.rollback()


def _has_schema(db: PostgresDatabase, schema: str) -> bool:
    return db.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (schema,)).fetchone() is not None


def version_of(db: PostgresDatabase, schema: str) -> int:
    """The version of the tables, 0 where there are none. Raises `WrongStore`, `DamagedStore`."""
    found = db.execute("SELECT tablename FROM pg_tables WHERE schemaname = ?", (schema,)).fetchall()
    if not found:
        return 0
    name = f"the schema {schema!r}"
    if ("flowcage_schema",) not in found:
        raise WrongStore(f"{name} is no store of flowcage: it is of another program; give another schema")
    role, may = db.execute(
        "SELECT current_user, has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = ?",
        (schema,),
    ).fetchone()
    if not may:  # its tables would be unknown
        raise WrongStore(f"the role {role!r} may not use {name}; its owner has to grant USAGE on it")
    try:
        row = db.execute("SELECT version, oldest_reader FROM flowcage_schema").fetchone()
        version = tables.require_version(name, row)
        for sql in tables.probes(version):
            db.execute(sql)
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable) as error:
        raise tables.unknown(name, str(error).partition("\n")[0]) from error
    return version
