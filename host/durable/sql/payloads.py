"""How texts of any size are stored: compressed, sealed, checked, and out of line where they are large.

A payload is a tag, the CRC-32 of what follows, and that: ``j`` the bytes as they are, ``z`` compressed, ``b``
the hash of a blob; ``J`` and ``Z`` are the first two, sealed. The checksum finds a bit that the disk has
turned where the database's own check does not look. Blobs are payloads of their own, found by a keyed hash
of their plain text, so that equal sources are stored once and a hash tells nothing without the key.

Packing is for threads: compressing takes 0.1 ms and more.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from flowcage.host.durable.errors import DamagedStore
from flowcage.host.durable.records import Sealer
from flowcage.protocol.limits import MIB

COMPRESSED_FROM = 2048  # bytes
BLOB_FROM = 64 * 1024
_HASH_BYTES = 32
# What one value may be once it is decompressed, far above what messages let through: in a hostile file each
# kilobyte would otherwise be a megabyte of memory.
MOST_BYTES = 256 * MIB


class Blob(NamedTuple):
    """A value out of line."""

    hash: bytes
    data: bytes


class Packed(NamedTuple):
    """A payload, and what it refers to."""

    data: bytes
    blobs: tuple[Blob, ...] = ()

    @property
    def size(self) -> int:
        """Bytes in the store, if none of it is there."""
        return len(self.data) + sum(len(blob.data) for blob in self.blobs)


class Payloads:
    """Packs and unpacks.

    Args:
        key: of the hashes.
        sealer: encrypts, if there is one.
    """

    def __init__(self, key: bytes, sealer: Sealer | None = None) -> None:
        self.key = key
        self._sealer = sealer

    def hash(self, plain: bytes) -> bytes:
        """The name of a blob."""
        return blake2b(plain, digest_size=_HASH_BYTES, key=self.key).digest()

    def pack(self, plain: bytes) -> Packed:
        """A value as it is stored."""
        return self.pack_blob(plain) if len(plain) > BLOB_FROM else Packed(self._inline(plain))

    def pack_blob(self, plain: bytes) -> Packed:
        """A value that is stored out of line, whatever its size."""
        name = self.hash(plain)
        return Packed(_framed(b"b", name), (Blob(name, self._inline(plain)),))

    def unpack(self, data: bytes, fetch: Callable[[bytes], bytes | None]) -> bytes:
        """The value again.

        Args:
            data: a payload.
            fetch: gives the data of a blob.

        Raises:
            DamagedStore: it is none, or was sealed by another key.
        """
        tag, body = _unframed(bytes(data))
        if tag == b"b":
            found = fetch(body)
            if found is None:
                raise DamagedStore("a large value that it refers to is missing")
            tag, body = _unframed(bytes(found))
        if tag in (b"J", b"Z"):
            body = self._opened(body)
        return _inflated(body) if tag in (b"z", b"Z") else body

    def _inline(self, plain: bytes) -> bytes:
        tag, body = b"j", plain
        if len(plain) > COMPRESSED_FROM and len(small := zlib.compress(plain, 1)) < len(plain):
            tag, body = b"z", small
        if self._sealer is not None:
            tag, body = tag.upper(), self._sealer.seal(body)
        return _framed(tag, body)

    def _opened(self, body: bytes) -> bytes:
        if self._sealer is None:
            raise DamagedStore("it is encrypted; open the store with the sealer that wrote it")
        try:
            return self._sealer.open(body)
        except ValueError as error:
            raise DamagedStore(f"it cannot be decrypted with this sealer: {error}") from None


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
    if tag not in (b"j", b"z", b"b", b"J", b"Z"):
        raise DamagedStore("it is no value of this version's")
    if zlib.crc32(body).to_bytes(4, "big") != data[1:5]:
        raise DamagedStore("its checksum is wrong: bytes were lost or changed")
    return tag, body
