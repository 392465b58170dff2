"""The registry of the checks of hosts that speak the host protocol."""

from __future__ import annotations

from flowcage.conformance.check import Registry
from flowcage.conformance.service.peer import ServicePeer

SERVICE_CHECKS: Registry[ServicePeer] = Registry()
