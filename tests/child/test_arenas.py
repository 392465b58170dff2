"""The engine's arenas: what a realm allocates after their holes are filled lies side by side."""

from __future__ import annotations

from flowcage.child.cage.highwater import HighWater
from flowcage.child.engine.context import library
from flowcage.child.sandbox.realm import Realm
from flowcage.protocol.limits import Limits

ARENA_BYTES = 4096
# What a realm has freed by then leaves holes of each of these sizes.
SIZES = (16, 32, 40)


def addresses(realm: Realm, size: int) -> list[int]:
    return [library().js_malloc_rt(realm.runtime.pointer, size - 8) for _ in range(8)]


def is_side_by_side(found: list[int]) -> bool:
    return max(found) - min(found) < ARENA_BYTES


def test_blocks_lie_side_by_side_behind_filled_holes_and_not_before() -> None:
    realm = Realm(Limits(), HighWater())
    assert not all(is_side_by_side(addresses(realm, size)) for size in SIZES)
    realm.runtime.heap.fill_holes()
    assert all(is_side_by_side(addresses(realm, size)) for size in SIZES)
    realm.close()


def test_what_fills_the_holes_is_not_counted_as_used() -> None:
    realm = Realm(Limits(), HighWater())
    before, count = realm.runtime.heap.size, realm.runtime.memory_usage().malloc_count
    realm.runtime.heap.fill_holes()
    assert realm.runtime.heap.size == before
    assert realm.runtime.memory_usage().malloc_count == count
    realm.close()
