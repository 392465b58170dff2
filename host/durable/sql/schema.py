"""The tables, as numbered migrations.

A store is brought up to date in one transaction when it is opened. `oldest_reader` is the oldest version of
the schema whose code can use what is there; older code refuses with a sentence. A released migration is
never changed: `tests/durable/golden/` has a store of each version, which every later one must read.

Texts that workflows and callers choose are stored as JSON would write them, without the quotes: Postgres
refuses NUL in a text, SQLite's module for Python lone surrogates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from flowcage.host.durable.errors import DamagedStore, WrongStore

VERSION = 2
OLDEST_READER = 2  # code of version 1 would claim runs of a pool, whatever their tenant's quotas

# In the words of each database: ``{bytes}``; an id that is compared by bytes; a table that is its own index.
_SQLITE = {"bytes": "BLOB", "id": "TEXT", "clustered": " WITHOUT ROWID"}
_POSTGRES = {"bytes": "BYTEA", "id": 'TEXT COLLATE "C"', "clustered": ""}

_VERSION_1 = """
CREATE TABLE flowcage_schema(
  version INTEGER NOT NULL, oldest_reader INTEGER NOT NULL,
  store_key {bytes} NOT NULL, created_at BIGINT NOT NULL);

-- A host, for as long as its commits may be asked about: the number of the last one. `follows` is a run.
CREATE TABLE owners(
  owner {id} PRIMARY KEY, commits BIGINT NOT NULL, opened_at BIGINT NOT NULL, follows {id}){clustered};

CREATE TABLE blobs(hash {bytes} PRIMARY KEY, data {bytes} NOT NULL);
CREATE TABLE blob_uses(run_id {id} NOT NULL, hash {bytes} NOT NULL, PRIMARY KEY(run_id, hash)){clustered};
CREATE INDEX blob_uses_by_hash ON blob_uses(hash);

CREATE TABLE runs(
  run_id {id} PRIMARY KEY, tenant {id} NOT NULL, start_key {id}, start_hash {bytes} NOT NULL,
  forked_from {id}, forked_at BIGINT, digest_key {bytes} NOT NULL,
  source_name TEXT NOT NULL, rules TEXT NOT NULL, settings {bytes} NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('queued', 'running', 'asleep', 'diverged', 'ended')),
  verdict TEXT, ending {bytes},
  owner {id}, epoch BIGINT NOT NULL, entries BIGINT NOT NULL, bytes BIGINT NOT NULL,
  wake_at BIGINT, sleeps BIGINT NOT NULL, cancel_at BIGINT, cancel_reason TEXT,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, written_at BIGINT NOT NULL,
  expires_at BIGINT, delete_after BIGINT,
  UNIQUE(tenant, start_key));
CREATE INDEX runs_by_age ON runs(created_at, run_id);
CREATE INDEX runs_queued ON runs(created_at) WHERE state = 'queued';
CREATE INDEX runs_running ON runs(owner) WHERE state = 'running';
CREATE INDEX runs_asleep ON runs(wake_at) WHERE state = 'asleep';
CREATE INDEX runs_cancelled ON runs(state) WHERE cancel_at IS NOT NULL;
CREATE INDEX runs_forks ON runs(forked_from) WHERE forked_from IS NOT NULL;

CREATE TABLE workflows(
  run_id {id} NOT NULL, path {id} NOT NULL, source {bytes} NOT NULL, args {bytes}, terms {bytes} NOT NULL,
  PRIMARY KEY(run_id, path)){clustered};

CREATE TABLE entries(
  run_id {id} NOT NULL, seq BIGINT NOT NULL, at DOUBLE PRECISION NOT NULL, epoch BIGINT NOT NULL,
  data {bytes} NOT NULL, PRIMARY KEY(run_id, seq)){clustered};

-- `data` is NULL once the run has taken the answer in: the row stays, or a second answer would be the first.
CREATE TABLE answers(
  run_id {id} NOT NULL, request {id} NOT NULL, at BIGINT NOT NULL, data {bytes},
  PRIMARY KEY(run_id, request)){clustered};
CREATE INDEX answers_waiting ON answers(run_id) WHERE data IS NOT NULL;
"""

# The queue is the runs with a pool. All that it looks for has an index of its own, which others are not in.
# `turns` has fair shares by pool, `tenants` what each has left over all workers; rows of tenants that have
# been away for a while say nothing and are removed. `made_by` is '' where any worker can go on.
_VERSION_2 = """
ALTER TABLE owners ADD COLUMN info TEXT;

ALTER TABLE runs ADD COLUMN pool {id};
ALTER TABLE runs ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN made_by {id} NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN takeovers BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN progress BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN held TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
DROP INDEX runs_queued;
DROP INDEX runs_asleep;
CREATE INDEX runs_queued ON runs(created_at) WHERE state = 'queued' AND pool IS NULL;
CREATE INDEX runs_asleep ON runs(pool, wake_at, tenant) WHERE state = 'asleep';
CREATE INDEX runs_waiting ON runs(pool, made_by, tenant, priority DESC, created_at, run_id)
  WHERE state = 'queued' AND pool IS NOT NULL AND wake_at IS NULL;
CREATE INDEX runs_later ON runs(wake_at) WHERE pool IS NOT NULL AND wake_at IS NOT NULL;
CREATE INDEX runs_at_work ON runs(tenant, pool) WHERE state = 'running' AND pool IS NOT NULL;

CREATE TABLE pools(pool {id} PRIMARY KEY, virtual_time DOUBLE PRECISION NOT NULL){clustered};
CREATE TABLE turns(
  pool {id} NOT NULL, tenant {id} NOT NULL, tag DOUBLE PRECISION NOT NULL,
  PRIMARY KEY(pool, tenant)){clustered};
-- `runs` and `cpu_seconds` flow off by their rates a minute, and are what is left of them `at` a time.
CREATE TABLE tenants(
  tenant {id} PRIMARY KEY, at BIGINT NOT NULL,
  runs DOUBLE PRECISION NOT NULL, runs_rate DOUBLE PRECISION,
  cpu_seconds DOUBLE PRECISION NOT NULL, cpu_rate DOUBLE PRECISION,
  cost_usd DOUBLE PRECISION NOT NULL){clustered};

CREATE TABLE schedules(
  name {id} PRIMARY KEY, cron TEXT NOT NULL, tenant {id} NOT NULL, next_at BIGINT NOT NULL,
  what {bytes} NOT NULL, last_at BIGINT, last_run {id}){clustered};
"""

_MIGRATIONS = (_VERSION_1, _VERSION_2)

# All that belongs to a run, for removing and moving it: table and columns.
TABLES: Mapping[str, tuple[str, ...]] = {
    "workflows": ("run_id", "path", "source", "args", "terms"),
    "entries": ("run_id", "seq", "at", "epoch", "data"),
    "answers": ("run_id", "request", "at", "data"),
    "blob_uses": ("run_id", "hash"),
    "runs": (
        *("run_id", "tenant", "start_key", "start_hash", "forked_from", "forked_at", "digest_key"),
        *(
            "source_name",
            "rules",
            "settings",
            "state",
            "verdict",
            "ending",
            "owner",
            "epoch",
            "entries",
            "bytes",
        ),
        *("wake_at", "sleeps", "cancel_at", "cancel_reason", "created_at", "updated_at", "written_at"),
        *("expires_at", "delete_after", "pool", "priority", "made_by", "takeovers", "progress", "held"),
        "tries",
    ),
}


def statements_after(version: int, *, postgres: bool) -> list[str]:
    """What brings a store of this version up to date; 0 is an empty database."""
    words = _POSTGRES if postgres else _SQLITE
    texts = [text.format(**words) for text in _MIGRATIONS[version:]]
    return [each.strip() for text in texts for each in text.split(";\n") if each.strip()]


def escaped(text: str) -> str:
    """A text as it is stored: ASCII, without NUL."""
    return json.dumps(text)[1:-1]


def unescaped(stored: str) -> str:
    """The text again."""
    return str(json.loads(f'"{stored}"'))


def readable(stored: str) -> str:
    """The text again; as it is stored where that is damaged: one such run must not stop a whole queue."""
    try:
        return unescaped(stored)
    except ValueError:
        return stored


def require_version(name: str, row: tuple[int, int] | None) -> int:
    """The version of a store's schema, if this code can use it. Raises `WrongStore`, `DamagedStore`."""
    if row is None:
        raise DamagedStore(f"{name} does not say its version; restore it from a backup")
    version, oldest_reader = row
    if type(version) is not int or type(oldest_reader) is not int or version < 1:
        raise unknown(name, f"its version is {version!r:.40}")
    if oldest_reader > VERSION:
        raise WrongStore(
            f"{name} was written by a later flowcage: its schema is version {version}, this one reads up to "
            f"{VERSION}; use a flowcage that is no older than the one that wrote it"
        )
    return int(version)


def probes(version: int) -> list[str]:
    """Statements that fail where a store of this version has not the tables and columns of it."""
    if version != VERSION:
        return []
    return [f"SELECT {', '.join(columns)} FROM {table} LIMIT 0" for table, columns in TABLES.items()]


def unknown(name: str, why: object) -> WrongStore:
    """The error for a store that says a version and is none of it."""
    return WrongStore(
        f"{name} has a schema that no released flowcage has made ({why}): a version in between has, or it "
        "was changed by hand; use the flowcage that made it, or move it away to begin a new one"
    )
