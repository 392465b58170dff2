"""Large values of one store: named, written before the commit that names them, checked, removed.

An object's name has the keyed hash of the value, when it was made, and random bytes. So each write has an
object of its own, even of a value that the store has: nobody removes an object that somebody else has just
come to use. The row of the value names one object, with its size and a digest of its bytes; a writer who
finds the row there has its own object removed after the commit, and who removes the row has the object
removed then. What a crash leaves between two of these steps is an object that no row names: `sweep` finds it.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b
from typing import NamedTuple

from flowcage.host.durable.blobs.objects import NoObject, Objects
from flowcage.host.durable.errors import DamagedStore, StoreFailed

_AT_ONCE = 8  # objects on their way
_PATIENCE_OF_CLOSING_SECONDS = 5.0
_HASH, _STAMP, _RANDOM, _SIZE, _DIGEST = 32, 8, 8, 8, 32
REFERENCE_BYTES = _STAMP + _RANDOM + _SIZE + _DIGEST


class BlobsFailed(Exception):
    """Objects cannot be written at the moment."""


class Reference(NamedTuple):
    """What a row says of its object."""

    stamp: int
    random: bytes
    size: int
    digest: bytes

    def packed(self) -> bytes:
        """As it is stored."""
        numbers = (number.to_bytes(8, "big") for number in (self.stamp, self.size))
        stamp, size = numbers
        return stamp + self.random + size + self.digest


def reference_of(data: bytes) -> Reference:
    """The reference again. Raises `DamagedStore`."""
    if len(data) != REFERENCE_BYTES:
        raise DamagedStore("its reference to an object has a wrong length")
    stamp, random, size, digest = data[:8], data[8:16], data[16:24], data[24:]
    return Reference(int.from_bytes(stamp, "big"), random, int.from_bytes(size, "big"), digest)


def object_name(name: bytes, reference: Reference) -> str:
    """Of the object of a value with this hash; in one of 256 folders."""
    return f"{name[:1].hex()}/{name.hex()}-{reference.stamp:012x}-{reference.random.hex()}"


def stamp_of(found: str) -> int | None:
    """When an object was made, by its name; None for one that is none of ours."""
    parts = found.rpartition("/")[2].split("-")
    if len(parts) != 3 or [len(part) for part in parts] != [2 * _HASH, 12, 2 * _RANDOM]:
        return None
    with suppress(ValueError):
        return int(parts[1], 16)
    return None


class LargeValues:
    """Of one store.

    Args:
        objects: where they are.
        least: bytes of a value that becomes an object.
        clock: milliseconds since 1970.
    """

    def __init__(self, objects: Objects, least: int, clock: Callable[[], int]) -> None:
        self.objects = objects
        self.least = least
        self._clock = clock
        self._pending: dict[str, bytes] = {}
        self._unneeded: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._remover: threading.Thread | None = None

    # ---- for the committing thread alone -----------------------------------------------------

    def add(self, name: bytes, data: bytes) -> bytes:
        """Have an object written by the next `settle`. The reference to it."""
        made = Reference(self._clock(), os.urandom(_RANDOM), len(data), _digest(data))
        self._pending[object_name(name, made)] = data
        return made.packed()

    def settle(self) -> None:
        """Write what was added. What fails is tried again by the next call. Raises `BlobsFailed`."""
        if not self._pending:
            return
        with ThreadPoolExecutor(min(_AT_ONCE, len(self._pending))) as pool:
            tried = {name: pool.submit(self.objects.put, name, data) for name, data in self._pending.items()}
        failed = {name: error for name, each in tried.items() if (error := each.exception()) is not None}
        self._pending = {name: self._pending[name] for name in failed}
        for error in failed.values():
            if not isinstance(error, Exception):
                raise error
            raise BlobsFailed(f"blobs cannot be written to {self.objects.shown}: {told(error)}") from error

    def forget(self) -> None:
        """Give up what could not be written."""
        self._pending = {}

    def drop(self, names: Iterable[str]) -> None:
        """Remove objects that no row names any more, beside; what fails is left to the sweep."""
        for name in names:
            if self._remover is None:
                self._remover = threading.Thread(target=self._remove, name="flowcage-blobs", daemon=True)
                self._remover.start()
            self._unneeded.put(name)

    def close(self) -> None:
        """Let what is dropped be removed, for a few seconds."""
        if self._remover is not None:
            self._unneeded.put(None)
            self._remover.join(_PATIENCE_OF_CLOSING_SECONDS)

    def _remove(self) -> None:
        while (name := self._unneeded.get()) is not None:
            with suppress(Exception):
                self.objects.remove(name)

    # ---- for any thread ----------------------------------------------------------------------

    def get(self, name: bytes, data: bytes) -> bytes:
        """The bytes of an object.

        Args:
            name: hash of the value.
            data: the reference to it.

        Raises:
            DamagedStore, StoreFailed.
        """
        reference = reference_of(data)
        place = object_name(name, reference)
        what = f"the object {place} at {self.objects.shown}"
        try:
            found = self.objects.get(place, reference.size + 1)
        except FileNotFoundError:
            why = "it was removed, or the blobs of this store are elsewhere"
            raise DamagedStore(f"{what} is not there: {why}") from None
        except NoObject as error:
            raise DamagedStore(f"{what} is none: {error}") from None
        except Exception as error:
            raise StoreFailed(f"{what} cannot be read: {told(error)}") from error
        if len(found) < reference.size:
            raise DamagedStore(f"{what} is cut off at {len(found):,} of {reference.size:,} bytes")
        if _digest(found) != reference.digest:
            raise DamagedStore(f"{what} is not the one that was written")
        return found


def orphans(found: Sequence[str], named: set[str], before: int) -> list[str]:
    """Objects that were made before a time and that no row names."""
    old = {name for name in found if (stamp := stamp_of(name)) is not None and stamp < before}
    return sorted(old - named)


def told(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST).digest()
