"""Payloads of a store that somebody else has written."""

from __future__ import annotations

import re
import tracemalloc
import zlib

import pytest

from flowcage.host.durable.errors import DamagedStore
from flowcage.host.durable.sql import payloads
from flowcage.host.durable.sql.payloads import Payloads


def compressed(body: bytes) -> bytes:
    return b"z" + zlib.crc32(body).to_bytes(4, "big") + body


def nothing(_name: bytes) -> None:
    raise AssertionError("it refers to nothing")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"no zlib", "it cannot be decompressed: Error"),
        (zlib.compress(b"x" * 500)[:-3], "its end is missing"),
        (b"", "its end is missing"),
        (zlib.compress(b"x" * 1001), "it has 1,000 bytes or more"),
    ],
)
def test_what_is_no_whole_value_is_refused(body: bytes, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "MOST_BYTES", 1000)
    with pytest.raises(DamagedStore, match=re.escape(why)):
        Payloads(b"k").unpack(compressed(body), b"", nothing)


def test_a_bomb_is_not_filled_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "MOST_BYTES", 1_000_000)
    bomb = compressed(zlib.compress(bytes(50_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(DamagedStore, match="as no value has"):
            Payloads(b"k").unpack(bomb, b"", nothing)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_what_was_packed_is_whole_again() -> None:
    for plain in (b"", b"short", b"x" * 5000, bytes(range(256)) * 1000):
        packed = Payloads(b"k").pack(plain, b"here")
        blobs = {blob.hash: blob.data for blob in packed.blobs}
        assert Payloads(b"k").unpack(packed.data, b"here", blobs.get) == plain
