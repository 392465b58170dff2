"""The checks of a host, one file a theme. Importing this package registers them in this order."""

from __future__ import annotations

# isort: off
from flowcage.conformance.on_host import messages as messages
from flowcage.conformance.on_host import replies as replies
from flowcage.conformance.on_host import outcomes as outcomes
from flowcage.conformance.on_host import faults as faults
from flowcage.conformance.on_host.registry import HOST_CHECKS as HOST_CHECKS
