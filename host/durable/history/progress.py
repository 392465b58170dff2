"""Which entries say that a run has got on: by these a run is known that ends each worker that takes it."""

from __future__ import annotations

from flowcage.host.durable.history.codec import VERSION

# Its host sends again what was answered, or counts costs: each life does, whatever becomes of it.
_OF_EACH_LIFE = ("turn", "lived", "told", "charged", "noted", "remembered")
_BEGINS = tuple(f'{{"v":{VERSION},"t":"{name}"'.encode() for name in _OF_EACH_LIFE)


def is_progress(data: bytes) -> bool:
    """Whether a run has got on by this input, which was encoded."""
    return not data.startswith(_BEGINS)
