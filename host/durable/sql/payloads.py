"""How texts of any size are stored: compressed, sealed, checked, and out of line where they are large.

A payload is a tag, the CRC-32 of what follows, and that: ``j`` the bytes as they are, ``z`` compressed, ``b``
the hash of a blob; ``J``, ``Z`` and ``B`` are the same, sealed. The checksum finds a bit that the disk has
turned where the database's own check does not look. Blobs are payloads of their own, found by a keyed hash
of their plain text, so that equal sources are stored once and a hash tells nothing without the key. The data
of a blob that is an object elsewhere is ``x`` and a reference to it; the object is a payload.

What is sealed is bound to its place, which is given with it: the column, and the key of its row.

Packing is for threads: compressing takes 0.1 ms and more.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import NamedTuple

from flowcage.host.durable.blobs.values import REFERENCE_BYTES, LargeValues, object_name, reference_of
from flowcage.host.durable.errors import DamagedStore, Locked
from flowcage.host.durable.options import Sealer
from flowcage.protocol.limits import MIB

COMPRESSED_FROM = 2048  # bytes
BLOB_FROM = 64 * 1024
_HASH_BYTES = 32
OBJECT_ROW_BYTES = 5 + REFERENCE_BYTES  # of the data of a blob that is an object
# What one value may be once it is decompressed, far above what messages let through: in a hostile file each
# kilobyte would otherwise be a megabyte of memory.
MOST_BYTES = 256 * MIB


class Blob(NamedTuple):
    """A value out of line. `size` is that of its object, where it is one."""

    hash: bytes
    data: bytes
    size: int = 0

    @property
    def object(self) -> str | None:
        """The name of its object, if it is one."""
        return object_of(self.hash, self.data)


class Packed(NamedTuple):
    """A payload, and what it refers to."""

    data: bytes
    blobs: tuple[Blob, ...] = ()

    @property
    def size(self) -> int:
        """Bytes in the store, if none of it is there."""
        return len(self.data) + sum(len(blob.data) + blob.size for blob in self.blobs)


def place(column: str, *key: str | int) -> bytes:
    """Where a payload is: names of runs and stored texts have no NUL."""
    return "\0".join((column, *map(str, key))).encode()


class Payloads:
    """Packs and unpacks.

    Args:
        key: of the hashes.
        sealer: encrypts, if there is one.
        outside: keeps large blobs, if not the database.
        locked_by: name of the key that the store is encrypted with, "" for one without a name: nothing is
            packed without a sealer.
    """

    def __init__(
        self,
        key: bytes,
        sealer: Sealer | None = None,
        outside: LargeValues | None = None,
        locked_by: str | None = None,
    ) -> None:
        self.key = key
        self.sealer = sealer
        self.outside = outside
        self._locked_by = locked_by

    def hash(self, plain: bytes) -> bytes:
        """The name of a blob."""
        return blake2b(plain, digest_size=_HASH_BYTES, key=self.key).digest()

    def pack(self, plain: bytes, place: bytes) -> Packed:
        """A value as it is stored."""
        return self.pack_blob(plain, place) if len(plain) > BLOB_FROM else Packed(self._inline(plain, place))

    def pack_blob(self, plain: bytes, place: bytes) -> Packed:
        """A value that is stored out of line, whatever its size."""
        name = self.hash(plain)
        blob = self.blob_of(name, self._inline(plain, _place_of_blob(name)))
        return Packed(self._sealed(b"b", name, place), (blob,))

    def blob_of(self, name: bytes, data: bytes) -> Blob:
        """A blob with this payload, which becomes an object where it is large."""
        if self.outside is None or len(data) < self.outside.least:
            return Blob(name, data)
        return Blob(name, _framed(b"x", self.outside.add(name, data)), len(data))

    def unpack(self, data: bytes, place: bytes, fetch: Callable[[bytes], bytes | None]) -> bytes:
        """The value again.

        Args:
            data: a payload.
            place: where it was found.
            fetch: gives the data of a blob.

        Raises:
            DamagedStore: it is none, or is not what was stored there.
            Locked: it is encrypted, and its key is not there.
            StoreFailed: its object cannot be read.
        """
        tag, body = _unframed(bytes(data))
        if tag not in (b"b", b"B"):
            return self._value(tag, body, place)
        name = self._opened(tag, body, place)
        if (found := fetch(name)) is None:
            raise DamagedStore("a large value that it refers to is missing")
        return self.unpack_blob(name, found)

    def unpack_blob(self, name: bytes, data: bytes) -> bytes:
        """The value of a blob. Raises as `unpack`."""
        return self._value(*_unframed(self.within(name, data)), _place_of_blob(name))

    def within(self, name: bytes, data: bytes) -> bytes:
        """The payload of a blob, whether it is an object or not. Raises as `unpack`."""
        data = bytes(data)
        if data[:1] != b"x":
            return data
        if self.outside is None:
            how = "--blobs URL, FLOWCAGE_STORE_BLOBS, or StoreOptions(blobs=...)"
            raise DamagedStore(f"a large value is kept outside of the store; say where by {how}")
        return self.outside.get(name, _unframed(data)[1])

    def is_current(self, data: bytes) -> bool:
        """Whether a payload has the key of new ones. Raises `DamagedStore`."""
        tag, body = _unframed(data)
        return tag.isupper() and self.sealer is not None and self.sealer.is_current(body)

    def resealed(self, data: bytes, place: bytes) -> bytes:
        """A payload with the key of new ones. Raises `DamagedStore`, `Locked`."""
        tag, body = _unframed(data)
        return self._sealed(tag.lower(), self._opened(tag, body, place), place)

    # ---- objects, for the committing thread --------------------------------------------------

    def settle(self) -> None:
        """Write the objects of what was packed. Raises `BlobsFailed`: the next call tries again."""
        if self.outside is not None:
            self.outside.settle()

    def forget(self) -> None:
        """What was packed and could not be written is given up."""
        if self.outside is not None:
            self.outside.forget()

    def drop(self, names: Iterable[str]) -> None:
        """Have objects removed."""
        if self.outside is not None:
            self.outside.drop(names)

    def close(self) -> None:
        """Let what is dropped be removed."""
        if self.outside is not None:
            self.outside.close()

    def _value(self, tag: bytes, body: bytes, place: bytes) -> bytes:
        if tag not in b"jzJZ":
            raise DamagedStore("it is no value")
        body = self._opened(tag, body, place)
        return _inflated(body) if tag in b"zZ" else body

    def _inline(self, plain: bytes, place: bytes) -> bytes:
        if len(plain) > COMPRESSED_FROM and len(small := zlib.compress(plain, 1)) < len(plain):
            return self._sealed(b"z", small, place)
        return self._sealed(b"j", plain, place)

    def _sealed(self, tag: bytes, body: bytes, place: bytes) -> bytes:
        if self.sealer is None:
            if self._locked_by is not None:
                raise Locked(self._locked_by)
            return _framed(tag, body)
        tag = tag.upper()
        return _framed(tag, self.sealer.seal(body, tag + place))

    def _opened(self, tag: bytes, body: bytes, place: bytes) -> bytes:
        if tag.islower():
            if self.sealer is not None and not self.sealer.accepts_plain:
                raise DamagedStore("it is not encrypted, in a store that shall be; accept-plain reads it")
            return body
        if self.sealer is None:
            raise Locked(key_name_of(body))
        try:
            return self.sealer.open(body, tag + place)
        except ValueError as error:
            raise DamagedStore(f"it cannot be decrypted: {error}") from None


def object_of(name: bytes, data: bytes) -> str | None:
    """The name of a blob's object, if it is one. Raises `DamagedStore`."""
    data = bytes(data)
    return object_name(bytes(name), reference_of(_unframed(data)[1])) if data[:1] == b"x" else None


def key_name_of(body: bytes) -> str:
    """The name of the key that something was sealed with; "" where another sealer than a keyring did it."""
    from flowcage.host.durable.sealing import key_of

    try:
        return key_of(body)
    except ValueError:
        return ""


def sealed_by(data: bytes) -> str | None:
    """The name of the key that a payload is sealed with; None for one that is not."""
    tag, body = _unframed(bytes(data))
    return key_name_of(body) if tag.isupper() else None


def _place_of_blob(name: bytes) -> bytes:
    return place("blob", name.hex())


def _inflated(body: bytes) -> bytes:
    """A compressed value, of which no more is decompressed than it may have. Raises `DamagedStore`."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(body, MOST_BYTES)
    except zlib.error as error:
        raise DamagedStore(f"it cannot be decompressed: {error}") from None
    if not inflater.eof:
        is_large = inflater.unconsumed_tail or len(plain) >= MOST_BYTES
        why = f"it has {MOST_BYTES:,} bytes or more, as no value has" if is_large else "its end is missing"
        raise DamagedStore(f"it cannot be decompressed: {why}")
    return plain


def _framed(tag: bytes, body: bytes) -> bytes:
    return tag + zlib.crc32(body).to_bytes(4, "big") + body


def _unframed(data: bytes) -> tuple[bytes, bytes]:
    tag, body = data[:1], data[5:]
    if len(data) < 5 or tag not in b"jzbxJZB":
        raise DamagedStore("it is no value of this version's")
    if zlib.crc32(body).to_bytes(4, "big") != data[1:5]:
        raise DamagedStore("its checksum is wrong: bytes were lost or changed")
    return tag, body
