"""Whether a child takes what its workflow may import."""

from __future__ import annotations

from collections.abc import Mapping

from flowcage.host.outcome.errors import RunRefused
from flowcage.protocol.messages import Initialized


def require_taken(child: Initialized, modules: Mapping[str, str]) -> None:
    """Refuse a child that would take no notice of modules. Raises `RunRefused`."""
    if modules and "imports" not in child.methods:
        name, told = next(iter(modules)), child.server
        raise RunRefused(
            f"the workflow imports {name!r}, and the child ({told.name} {told.version}) takes "
            "no modules: it has no method imports; use a newer child, or a workflow of one file"
        )
