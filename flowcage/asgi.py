"""Runs of a host by HTTP, in a program's own ASGI server; needs ``pip install 'flowcage[asgi]'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage.host.asgi.app import RunRoutes as RunRoutes

# Public names, by the module that each is imported from.
_HOMES = {"flowcage.host.asgi.app": ("RunRoutes",)}

# Not for type checkers. With __getattr__ they would take any name, and an __all__ that is computed hides all.
if not TYPE_CHECKING:
    __all__ = sorted(name for names in _HOMES.values() for name in names)

    def __dir__() -> list[str]:
        return __all__

    def __getattr__(name: str) -> Any:
        from flowcage._lazy import load

        return load(__name__, _HOMES, name)
