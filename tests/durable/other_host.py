"""A host in a process of its own: runs the body of an async function that is given a store.

python -m tests.durable.other_host ADDRESS BODY
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import trio

from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.durable.sqlite.store import Durability, SqliteStore

from . import places


def opened(address: str, options: StoreOptions = DEFAULTS, durability: Durability = "full") -> SqlStore:
    """The store of an address, as `Place` has it."""
    server, _, schema = address.partition("|")
    if schema:
        return PostgresStore.open(server, options, schema=schema)
    return SqliteStore.open(Path(address), options, durability=durability)


def main(address: str, body: str) -> None:
    names: dict[str, Any] = {name: getattr(places, name) for name in ("new", "begun", "written")}
    exec(f"async def program(store):\n{textwrap.indent(body, '    ')}", names)
    trio.run(names["program"], opened(address))


if __name__ == "__main__":
    main(*sys.argv[1:])
