"""The names of `flowcage` that wait, for asyncio programs: the same arguments, results and errors.

Options, errors and events are those of `flowcage`, `flowcage.errors` and `flowcage.events`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage.host.on_asyncio.api import (
        check_workflow as check_workflow,
        replay as replay,
        run_workflow as run_workflow,
        sibling_modules as sibling_modules,
        submit_workflow as submit_workflow,
    )
    from flowcage.host.on_asyncio.handlers import on_this_loop as on_this_loop
    from flowcage.host.on_asyncio.host import Host as Host
    from flowcage.host.on_asyncio.runs import LiveRun as LiveRun, RunHandle as RunHandle
    from flowcage.host.on_asyncio.stream import EventStream as EventStream

# Public names, by the module that each is imported from.
_HOMES = {
    "flowcage.host.on_asyncio.api": (
        "check_workflow",
        "replay",
        "run_workflow",
        "sibling_modules",
        "submit_workflow",
    ),
    "flowcage.host.on_asyncio.handlers": ("on_this_loop",),
    "flowcage.host.on_asyncio.host": ("Host",),
    "flowcage.host.on_asyncio.runs": ("LiveRun", "RunHandle"),
    "flowcage.host.on_asyncio.stream": ("EventStream",),
}

# Not for type checkers. With __getattr__ they would take any name, and an __all__ that is computed hides all.
if not TYPE_CHECKING:
    __all__ = sorted(name for names in _HOMES.values() for name in names)

    def __dir__() -> list[str]:
        return __all__

    def __getattr__(name: str) -> Any:
        from flowcage._lazy import load

        return load(__name__, _HOMES, name)
