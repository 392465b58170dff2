"""The whole lockdown, in its order, in one function."""

from __future__ import annotations

import sys
from typing import get_args

from flowcage.child.cage import rlimits
from flowcage.protocol.errors import ISOLATION_UNAVAILABLE, ErrorReply
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import STRICT_LAYERS, Isolation, Layer

# Said openly until each has its own file here.
_NOT_YET = {
    name: Layer(False, "not part of this version")
    for name in ("no_new_privs", "landlock", "namespaces", "seccomp")
}


def enter(limits: Limits, isolation: Isolation | None) -> tuple[Limits, dict[str, Layer]]:
    """Close the cage, before any untrusted source can arrive.

    Args:
        limits: as asked for.
        isolation: ``strict`` refuses to go on without a layer that this version has; ``best_effort`` goes
            on and says so; ``none`` applies nothing. None means ``strict`` on Linux.

    Returns:
        The effective limits, and each layer with how it went.

    Raises:
        ErrorReply: ``isolation_unavailable``.
    """
    level = isolation or ("strict" if sys.platform == "linux" else "best_effort")
    assert level in get_args(Isolation)
    if level == "none":
        asked = Layer(False, "isolation none was asked for")
        return limits, dict.fromkeys((*STRICT_LAYERS, *_NOT_YET), asked)
    limits, layers = rlimits.apply(limits)
    missing = [name for name, layer in layers.items() if not layer.applied]
    if missing and level == "strict":
        details = "; ".join(f"{name}: {layers[name].detail}" for name in missing)
        raise ErrorReply(
            ISOLATION_UNAVAILABLE,
            f"strict isolation is not to be had here: {details}; ask for best_effort to go on without",
            {"layers": missing},
        )
    return limits, layers | _NOT_YET
