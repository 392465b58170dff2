"""What a store is held to: caps, what is redacted, encrypted, and kept elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from flowcage.host.durable.history.forms import Redaction
from flowcage.protocol.limits import MIB


class Sealer(Protocol):
    """Encrypts what is stored: sources, args, entries, answers, results. Called in threads.

    Names, states, times, digests and sizes are not sealed. `flowcage.sealing.Keyring` is one.

    Attributes:
        accepts_plain: whether values are read that are not sealed.
    """

    accepts_plain: bool

    def seal(self, data: bytes, place: bytes, /) -> bytes:
        """Seal data, and bind it to its place."""

    def open(self, data: bytes, place: bytes, /) -> bytes:
        """The data again. Raises ValueError for what `seal` did not make for this place."""

    def is_current(self, data: bytes, /) -> bool:
        """Whether sealed data has the key that `seal` uses now."""


class StoreOptions(NamedTuple):
    """What a store is held to.

    Attributes:
        run_bytes, tenant_bytes: caps on what is stored, compressed; None has no cap. What other hosts write
            for a tenant counts with a delay.
        pending_bytes: of writes that wait while the disk or the server takes none.
        give_up_seconds: how long they wait before their runs end as `StoreFailed`; so long, too, a read waits
            for a server that is away.
        redact: what is stored of a request; `withhold_prompts` keeps digests only. With one, the args of
            child workflows are not stored either.
        sealer: encrypts.
        blobs: where values are kept instead that have `blobs_from` bytes and more as they are stored: a
            folder, or a URL for fsspec.
        clock: milliseconds since 1970.
        fault: is told what the committing thread is about to do. For tests, which end the process there.
        on_trouble: is told, in that thread, why nothing could be written for two seconds; None when it can.
    """

    run_bytes: int | None = 1024 * MIB
    tenant_bytes: int | None = None
    pending_bytes: int = 64 * MIB
    give_up_seconds: float = 300.0
    redact: Redaction | None = None
    sealer: Sealer | None = None
    blobs: str | None = None
    blobs_from: int = 256 * 1024
    clock: Callable[[], int] | None = None
    fault: Callable[[str], None] | None = None
    on_trouble: Callable[[str | None], None] | None = None


DEFAULTS = StoreOptions()
