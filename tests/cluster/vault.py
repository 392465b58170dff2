"""The keys of a cluster's store and its folder for large values; and who looks after these:

    python -m tests.cluster.vault ADDRESS FOLDER reseal|sweep NAME

Where a folder has no keys, its store is not encrypted. Each process knows all keys from the beginning on, as
those of a cluster have to before one of them seals; which one seals is changed meanwhile (`rotate`).
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import trio

from flowcage import PostgresStore
from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.sealing import keys_of_file, new_key

SCHEMA = "storm"
SECRET = "correct horse battery staple"
_KEYS = 6
_LARGE_FROM = 500  # bytes; sources are out of line whatever their size, and all of them are objects then
# Longer than anybody is stopped, or the server away: so long a write may wait for its commit.
_OLD_MS = 40_000


def make(folder: Path) -> None:
    """Encrypt the store of a folder, and keep its large values beside it."""
    (folder / "blobs").mkdir()
    _write(folder, [f"k{number}:{new_key()}" for number in range(_KEYS)])


def rotate(folder: Path, rng: random.Random) -> None:
    """Have another key seal what comes."""
    keys = (folder / "keys").read_text().splitlines()
    number = rng.randrange(1, len(keys))
    _write(folder, [keys[number], *keys[:number], *keys[number + 1 :]])


def _write(folder: Path, keys: list[str]) -> None:
    new = folder / "keys.new"
    with open(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write("\n".join(keys))
    new.replace(folder / "keys")


def keep_first(folder: Path) -> None:
    """Forget all keys but the one that seals."""
    _write(folder, (folder / "keys").read_text().splitlines()[:1])


def options(folder: Path) -> StoreOptions:
    """Of the store of a folder."""
    if not (folder / "keys").exists():
        return DEFAULTS
    keys = keys_of_file(folder / "keys")
    return StoreOptions(sealer=keys, blobs=str(folder / "blobs"), blobs_from=_LARGE_FROM)


def objects(folder: Path) -> list[Path]:
    """Files of large values."""
    return [path for path in (folder / "blobs").rglob("*") if path.is_file()]


async def reseal(store: PostgresStore) -> None:
    done = await store.reseal()
    assert not done.damaged, done


async def sweep(store: PostgresStore, older_than_ms: int = _OLD_MS) -> None:
    done = await store.sweep(store.now() - older_than_ms)
    assert not done.missing, done


async def settled(address: str, folder: Path) -> None:
    """Seal all anew, and sweep, after everybody else has ended; then one key is enough."""
    store = PostgresStore.open(address, options(folder), schema=SCHEMA)
    try:
        await reseal(store)
        assert (await store.reseal()).changed == 0
        await sweep(store, -1)
        assert (await store.sweep(store.now() + 1)).removed == []
    finally:
        await store.aclose()
    keep_first(folder)


async def main(address: str, folder: Path, what: str) -> None:
    store: PostgresStore | None = None
    while store is None:
        try:
            store = PostgresStore.open(address, options(folder), schema=SCHEMA, makes=False)
        except StoreFailed:
            await trio.sleep(0.2)
    try:
        await {"reseal": reseal, "sweep": sweep}[what](store)
    finally:
        await store.aclose()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], Path(sys.argv[2]), sys.argv[3])
