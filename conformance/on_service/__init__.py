"""The checks of a host that speaks the host protocol. Importing this package registers them in this order."""

from __future__ import annotations

# isort: off
from flowcage.conformance.on_service import wire as wire
from flowcage.conformance.on_service import handshake as handshake
from flowcage.conformance.on_service import runs as runs
from flowcage.conformance.on_service import agents as agents
from flowcage.conformance.on_service import requests as requests
from flowcage.conformance.on_service import events as events
from flowcage.conformance.on_service import kept as kept
from flowcage.conformance.on_service import ending as ending
from flowcage.conformance.on_service.registry import SERVICE_CHECKS as SERVICE_CHECKS
