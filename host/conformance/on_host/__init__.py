"""The checks of a host, one file a theme. Importing this package enters them all, in this order."""

from __future__ import annotations

from flowcage.host.conformance.on_host import (  # noqa: I001  (the order of the report)
    messages as messages,
    replies as replies,
    outcomes as outcomes,
    faults as faults,
)
from flowcage.host.conformance.on_host.registry import HOST_CHECKS as HOST_CHECKS
