"""The host: starts children, answers what their workflows ask, and decides how each run ended.

It has the names of `flowcage`, which is where programs import them from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage import *  # noqa: F403
else:
    import flowcage  # loaded already: it is this package's parent

    __all__ = flowcage.__all__

    def __dir__() -> list[str]:
        return __all__

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(flowcage, name)
