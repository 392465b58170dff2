"""Objects that no row names, and rows whose object is missing."""

from __future__ import annotations

from contextlib import suppress

from flowcage.host.durable.blobs.objects import NoObject, Objects
from flowcage.host.durable.blobs.values import orphans
from flowcage.host.durable.errors import DamagedStore
from flowcage.host.durable.sql.database import Database
from flowcage.host.durable.sql.payloads import OBJECT_ROW_BYTES, object_of
from flowcage.host.durable.upkeep import Swept


def named(db: Database) -> set[str]:
    """Objects that rows name."""
    rows = db.execute("SELECT hash, data FROM blobs WHERE LENGTH(data) = ?", (OBJECT_ROW_BYTES,)).fetchall()
    found = set()
    for row in rows:
        with suppress(DamagedStore):
            found.add(object_of(*row))
    return {name for name in found if name is not None}


def sweep(objects: Objects, found: list[str], names: set[str], before: int, *, dry_run: bool) -> Swept:
    """Remove what is left over.

    Args:
        objects: where they are.
        found: all that were there before `names` was read: what is written meanwhile is in neither.
        names: of the objects that rows name.
        before: milliseconds since 1970: younger ones may be of a write that goes on.
        dry_run: whether nothing is removed.
    """
    removed = orphans(found, names, before)
    if not dry_run:
        for name in removed:
            objects.remove(name)
    return Swept(removed, sorted(name for name in names - set(found) if _is_missing(objects, name)))


def _is_missing(objects: Objects, name: str) -> bool:
    """One that is not listed may have been written since."""
    try:
        objects.get(name, 1)
    except (FileNotFoundError, NoObject):
        return True
    return False
