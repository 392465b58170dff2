"""Keys for stores of durable runs that are encrypted; ``flowcage[sealing]`` brings what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage.host.durable.options import Sealer as Sealer
    from flowcage.host.durable.sealing import (
        Keyring as Keyring,
        keys_of_file as keys_of_file,
        new_key as new_key,
        read_keys as read_keys,
    )

# Public names, by the module that each is imported from.
_HOMES = {
    "flowcage.host.durable.options": ("Sealer",),
    "flowcage.host.durable.sealing": ("Keyring", "keys_of_file", "new_key", "read_keys"),
}

# Not for type checkers. With __getattr__ they would take any name, and an __all__ that is computed hides all.
if not TYPE_CHECKING:
    __all__ = sorted(name for names in _HOMES.values() for name in names)

    def __dir__() -> list[str]:
        return __all__

    def __getattr__(name: str) -> Any:
        from flowcage._lazy import load

        return load(__name__, _HOMES, name)
