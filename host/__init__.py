"""The host: starts children, answers their workflows' requests, and decides how each run ended.

It has the public names of `flowcage`; programs import them from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage import *  # noqa: F403
else:
    import flowcage  # already imported, being the parent of this package

    __all__ = flowcage.__all__

    def __dir__() -> list[str]:
        return __all__

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(flowcage, name)
