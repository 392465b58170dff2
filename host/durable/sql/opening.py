"""What packs and unpacks the payloads of a store, from its tables and its options."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b

from flowcage.host.durable.blobs.objects import opened
from flowcage.host.durable.blobs.values import LargeValues
from flowcage.host.durable.errors import DamagedStore
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.sql.database import Database
from flowcage.host.durable.sql.payloads import Payloads, sealed_by

# Runs that are looked at for that.
_NEWEST = 10


def payloads_of(db: Database, options: StoreOptions, clock: Callable[[], int]) -> Payloads:
    """Of a store whose tables are up to date.

    Raises:
        WrongStore: its blobs cannot be kept where they shall be.
    """
    key, created_at = db.execute("SELECT store_key, created_at FROM flowcage_schema").fetchone()
    outside = None
    if options.blobs is not None:
        objects = opened(options.blobs, _folder(bytes(key), created_at))
        outside = LargeValues(objects, options.blobs_from, clock)
    return Payloads(bytes(key), options.sealer, outside, None if options.sealer else _locked_by(db))


def _folder(key: bytes, created_at: int) -> str:
    """Of the objects of one store. A file of exported runs has its key, and another time."""
    return blake2b(f"blobs {created_at}".encode(), key=key, digest_size=8).hexdigest()


def _locked_by(db: Database) -> str | None:
    """The name of the key that the newest run is sealed with, which shows whether a store is encrypted.

    A run that is damaged shows nothing, and is no reason to keep from the others.
    """
    sql = "SELECT settings FROM runs ORDER BY created_at DESC, run_id DESC LIMIT ?"
    for (settings,) in db.execute(sql, (_NEWEST,)).fetchall():
        if isinstance(settings, bytes | memoryview):
            with suppress(DamagedStore):
                return sealed_by(bytes(settings))
    return None
