"""Writes of a run's history: a new run, a workflow of its tree, entries, and who is told of these."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flowcage.host.durable.errors import AlreadyThere, Fenced, StoreFailed, TooLarge, UnknownRun
from flowcage.host.durable.history.digests import canonical
from flowcage.host.durable.history.progress import is_progress
from flowcage.host.durable.records import Created, EncodedEntry, NewRun, NewWorkflow
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.payloads import Packed, place
from flowcage.host.durable.sql.rows import encoded_rules
from flowcage.host.durable.sql.schema import escaped, unescaped
from flowcage.host.durable.sql.workflows import StoredWorkflow, size_of
from flowcage.host.durable.sql.write import Write
from flowcage.protocol.messages import Json

# One statement checks the epoch, the number and the cap of a run, and counts.
_GUARD = """UPDATE runs SET entries = entries + ?, progress = progress + ?, bytes = bytes + ?, updated_at = ?,
written_at = ?
WHERE run_id = ? AND epoch = ? AND owner = ? AND state = 'running' AND entries = ? AND bytes + ? <= ?"""
_NO_CAP = 2**62
# How many appends a tenant's known sum is used for, before it is read anew.
_SUM_IS_KNOWN_FOR = 1000


def require_owner(scope: Scope, run_id: str, epoch: int) -> None:
    """Refuse a write of a host that has lost its run. Raises `Fenced`."""
    row = scope.db.execute(
        "SELECT 1 FROM runs WHERE run_id = ? AND epoch = ? AND owner = ? AND state = 'running'"
        + scope.db.for_update,
        (run_id, epoch, scope.owner),
    ).fetchone()
    if row is None:
        raise Fenced(run_id, epoch)


def require_room(scope: Scope, tenant: str, size: int) -> None:
    """Refuse what is beyond the tenant's cap, and count it. Raises `TooLarge`."""
    most, known = scope.tenant_bytes, scope.bytes_of
    if most is None:
        return
    total, uses = known.pop(tenant, (0, _SUM_IS_KNOWN_FOR))
    if uses >= _SUM_IS_KNOWN_FOR:
        sql, uses = "SELECT COALESCE(SUM(bytes), 0) FROM runs WHERE tenant = ?", 0
        total = int(scope.db.execute(sql, (escaped(tenant),)).fetchone()[0])
    if total + size > most:  # and forget the sum: something may be removed before the next try
        raise TooLarge(f"tenant {tenant!r}", "tenant_bytes", most)
    known[tenant] = (total + size, uses + 1)


class Create(Write[Created]):
    """A new run with its root workflow."""

    __slots__ = ("_looks", "_queued", "_run", "_settings", "_stored")

    def __init__(self, run: NewRun, queued: bool) -> None:
        super().__init__()
        self._run = run
        self._queued = queued
        self._looks = run.start_key is not None or run.forked_from is not None
        self._settings: Packed | None = None
        self._stored: StoredWorkflow | None = None
        self.size = size_of(run.root)

    def prepare(self, scope: Scope) -> None:
        run = self._run
        self._stored = self._stored or StoredWorkflow(scope, run.run_id, run.root)
        if self._settings is None:
            settings = json.dumps(run.settings, separators=(",", ":")).encode("ascii")
            self._settings = scope.payloads.pack(settings, place("settings", run.run_id))

    def run(self, scope: Scope) -> Created:
        run, settings = self._run, self._settings
        assert self._stored is not None
        assert settings is not None
        start_hash = scope.payloads.hash(canonical(_what_starts(run.root)))
        if self._looks and (there := self._there(scope, start_hash)) is not None:
            return there
        self._looks = True  # where the id is there, which it hardly ever is, the database refuses it first
        size = self._stored.size + settings.size
        require_room(scope, run.tenant, size)
        with scope.db.pipeline():
            self._insert(scope, start_hash, size)
        if self._queued:
            scope.tell_pool(None if run.pool is None else escaped(run.pool))
        return Created(run.run_id, None if self._queued else 1, True)

    def _insert(self, scope: Scope, start_hash: bytes, size: int) -> None:
        run, settings = self._run, self._settings
        assert self._stored is not None
        assert settings is not None
        owner, epoch = (None, 0) if self._queued else (scope.owner, 1)
        scope.db.execute(
            """INSERT INTO runs(run_id, tenant, start_key, start_hash, forked_from, forked_at, digest_key,
            source_name, rules, settings, state, owner, epoch, entries, bytes, sleeps, created_at,
            updated_at, written_at, expires_at, delete_after, pool, priority, wake_at)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                *(run.run_id, escaped(run.tenant), None if run.start_key is None else escaped(run.start_key)),
                *(start_hash, run.forked_from, run.forked_at, scope.payloads.key),
                *(escaped(run.root.source_name), encoded_rules(run.rules), settings.data),
                *("queued" if self._queued else "running", owner, epoch),
                *(size, scope.now, scope.now, scope.now, run.expires_at, run.delete_after),
                *(None if run.pool is None else escaped(run.pool), run.priority),
                run.not_before if self._queued else None,
            ),
        )
        self._stored.insert(scope, run.run_id)
        scope.keep_blobs(run.run_id, settings.blobs)

    def gained(self) -> list[tuple[str, int]]:
        created = self.value
        return [] if created is None or created.epoch is None else [(created.run_id, created.epoch)]

    def _there(self, scope: Scope, start_hash: bytes) -> Created | None:
        run, db = self._run, scope.db
        if run.start_key is not None:
            row = db.execute(
                "SELECT run_id, start_hash FROM runs WHERE tenant = ? AND start_key = ?",
                (escaped(run.tenant), escaped(run.start_key)),
            ).fetchone()
            if row is not None and bytes(row[1]) != start_hash:
                what = "with another source or other args"
                raise AlreadyThere(f"the start key {run.start_key!r} is that of run {row[0]}, {what}")
            if row is not None:
                return Created(row[0], None, False)
        if db.execute("SELECT 1 FROM runs WHERE run_id = ?", (run.run_id,)).fetchone() is not None:
            raise AlreadyThere(f"the store has a run {run.run_id} already")
        if run.forked_from is not None:
            sql = "SELECT 1 FROM runs WHERE run_id = ?" + db.for_update
            if db.execute(sql, (run.forked_from,)).fetchone() is None:
                raise UnknownRun(run.forked_from)
        return None


class AddWorkflow(Write[None]):
    """A child workflow."""

    __slots__ = ("_epoch", "_run_id", "_stored", "_workflow")

    def __init__(self, run_id: str, epoch: int, workflow: NewWorkflow) -> None:
        super().__init__()
        self._run_id, self._epoch, self._workflow = run_id, epoch, workflow
        self.about = (run_id, epoch)
        self._stored: StoredWorkflow | None = None
        self.size = size_of(workflow)

    def prepare(self, scope: Scope) -> None:
        self._stored = self._stored or StoredWorkflow(scope, self._run_id, self._workflow)

    def run(self, scope: Scope) -> None:
        assert self._stored is not None
        require_owner(scope, self._run_id, self._epoch)
        path = escaped(self._workflow.path)
        row = scope.db.execute(
            "SELECT source FROM workflows WHERE run_id = ? AND path = ?", (self._run_id, path)
        ).fetchone()
        if row is None:
            self._stored.insert(scope, self._run_id)
            scope.db.execute(
                "UPDATE runs SET bytes = bytes + ? WHERE run_id = ?", (self._stored.size, self._run_id)
            )
        elif bytes(row[0]) != self._stored.source.blobs[0].hash:
            where = self._workflow.path
            raise AlreadyThere(
                f"run {self._run_id} has another workflow at {where!r}: its source was changed"
            )


def _what_starts(root: NewWorkflow) -> Json:
    """What two starts with one key have in common."""
    return [root.source, root.args, *([dict(root.modules)] if root.modules else [])]


class Append(Write[None]):
    """Entries of one run."""

    __slots__ = ("_entries", "_epoch", "_packed", "_run_id", "_seq", "_stored_size", "_took", "_vain")

    def __init__(
        self, run_id: str, epoch: int, seq: int, entries: Sequence[EncodedEntry], took: Sequence[str]
    ) -> None:
        super().__init__()
        self._run_id, self._epoch, self._seq = run_id, epoch, seq
        self.about = (run_id, epoch)
        self._entries, self._took = entries, took
        self._vain = sum(not is_progress(entry.data) for entry in entries)
        self._packed: list[Packed] | None = None
        self._stored_size = 0
        self.size = sum(len(entry.data) for entry in entries)

    def prepare(self, scope: Scope) -> None:
        if self._packed is None:
            self._packed = [
                scope.payloads.pack(entry.data, place("entry", self._run_id, seq))
                for seq, entry in enumerate(self._entries, self._seq)
            ]
            self._stored_size = sum(each.size for each in self._packed)

    @classmethod
    def run_all(cls, scope: Scope, writes: Sequence[Append]) -> None:
        with scope.db.pipeline() as settle:
            guards = [scope.db.execute(_GUARD, write._guarded(scope)) for write in writes]
            settle()
        kept = []
        for write, guard in zip(writes, guards, strict=True):
            if guard.rowcount == 1:
                kept.append(write)
            else:
                write.error = write._why_not(scope)
        if scope.tenant_bytes is not None:
            for write in kept:
                write._count_for_tenant(scope)
        with scope.db.pipeline() as settle:
            cls._insert(scope, kept)
            followers = scope.db.execute("SELECT follows, owner FROM owners WHERE follows IS NOT NULL")
            settle()
        if rows := followers.fetchall():
            appended = {write._run_id for write in kept}
            scope.told.update(owner for run_id, owner in rows if run_id in appended)

    @staticmethod
    def _insert(scope: Scope, kept: Sequence[Append]) -> None:
        rows = [row for write in kept for row in write._rows()]
        if rows:
            sql = "INSERT INTO entries(run_id, seq, at, epoch, data) VALUES(?, ?, ?, ?, ?)"
            scope.db.executemany(sql, rows)
        for write in kept:
            scope.keep_blobs(write._run_id, [blob for each in write._packed or () for blob in each.blobs])
            for request in write._took:
                scope.db.execute(
                    "UPDATE answers SET data = NULL WHERE run_id = ? AND request = ?",
                    (write._run_id, escaped(request)),
                )

    def _guarded(self, scope: Scope) -> tuple[Any, ...]:
        size = self._stored_size
        most = _NO_CAP if scope.run_bytes is None else scope.run_bytes
        whose = (self._run_id, self._epoch, scope.owner)
        counts = (len(self._entries), self._vain)
        return (*counts, size, scope.now, scope.now, *whose, self._seq, size, most)

    def _rows(self) -> list[tuple[Any, ...]]:
        assert self._packed is not None
        return [
            (self._run_id, self._seq + index, entry.at, self._epoch, packed.data)
            for index, (entry, packed) in enumerate(zip(self._entries, self._packed, strict=True))
        ]

    def _why_not(self, scope: Scope) -> Exception:
        """Why the guard let this write not pass."""
        row = scope.db.execute(
            "SELECT epoch, owner, state, entries FROM runs WHERE run_id = ?", (self._run_id,)
        ).fetchone()
        if row is None or tuple(row[:3]) != (self._epoch, scope.owner, "running"):
            return Fenced(self._run_id, self._epoch)
        if row[3] != self._seq:
            return StoreFailed(
                f"run {self._run_id} has {row[3]} entries, so entry {self._seq} is not the next"
            )
        assert scope.run_bytes is not None
        return TooLarge(f"run {self._run_id}", "run_bytes", scope.run_bytes)

    def _count_for_tenant(self, scope: Scope) -> None:
        """Count for the tenant; beyond its cap the group is done one by one, and this write is refused."""
        row = scope.db.execute("SELECT tenant FROM runs WHERE run_id = ?", (self._run_id,)).fetchone()
        require_room(scope, unescaped(row[0]), self._stored_size)


class Follow(Write[None]):
    """This host is told of what is appended to a run."""

    __slots__ = ("_run_id",)

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self._run_id = run_id

    def run(self, scope: Scope) -> None:
        if scope.db.execute("SELECT 1 FROM runs WHERE run_id = ?", (self._run_id,)).fetchone() is None:
            raise UnknownRun(self._run_id)
        scope.db.execute("UPDATE owners SET follows = ? WHERE owner = ?", (self._run_id, scope.owner))

    @property
    def of_host(self) -> Mapping[str, Any]:
        return {"follows": self._run_id}
