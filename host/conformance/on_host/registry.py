"""Where the checks of hosts are entered."""

from __future__ import annotations

from flowcage.host.conformance.check import Registry
from flowcage.host.conformance.hosts import Played

HOST_CHECKS: Registry[Played] = Registry()
